"""A pool of gloo processes that lives as long as the tests that share it."""
import os
import signal
import socket
import traceback
from datetime import timedelta
from multiprocessing import get_context
from typing import Callable

import torch
from torch import distributed

import mmregioncl.models.parents  # noqa: F401  before processes are forked

TIMEOUT = 120  # seconds, for a whole call


def serve(rank: int, world: int, meeting: socket.socket, calls,
          timeout: int) -> None:
    """Join the group, and run what is sent until it is killed."""
    port = meeting.getsockname()[1]
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port))
    torch.set_num_threads(1)
    listening = meeting.detach() if rank == 0 else None
    meeting.close()
    wait = timedelta(seconds=timeout)
    store = distributed.TCPStore(
        '127.0.0.1',
        port,
        world,
        rank == 0,
        wait,
        # Open since the port was chosen, so that no other process takes it
        master_listen_fd=listening)
    distributed.init_process_group(
        'gloo', store=store, rank=rank, world_size=world, timeout=wait)
    while True:
        function, args, kwargs = calls.recv()
        try:
            calls.send((function(*args, **kwargs), None))
        except BaseException:
            calls.send((None, traceback.format_exc()))


class Ranks:
    """Run functions on several processes that form one group.

    The processes are forked at the first call, so they know all test modules
    and need not import anything.

    Args:
        world (int): Number of processes.
        timeout (int): Seconds that they wait for each other. Defaults to 120.
    """

    def __init__(self, world: int, timeout: int = TIMEOUT) -> None:
        self.world = world
        self.timeout = timeout
        self.processes = []

    def start(self) -> None:
        context = get_context('fork')
        meeting = socket.create_server(('127.0.0.1', 0))
        for rank in range(self.world):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=serve,
                args=(rank, self.world, meeting, theirs, self.timeout))
            process.start()
            theirs.close()
            self.processes.append((process, ours))
        meeting.close()  # the first process has it

    def __call__(self, function: Callable, *args, **kwargs) -> list:
        """Results of a function by rank.

        Args:
            function (Callable): Defined at the top of a module; it gets the
                further arguments, and its result has to be picklable.
        """
        if not self.processes:
            self.start()
        for _, calls in self.processes:
            calls.send((function, args, kwargs))
        results = []
        for rank, (_, calls) in enumerate(self.processes):
            error = f'no answer in {TIMEOUT} s'
            # After one failure the others may wait for it forever.
            if calls.poll(TIMEOUT):
                result, error = calls.recv()
                results.append(result)
            if error:
                self.stop()
                raise AssertionError(f'rank {rank} of {self.world}: {error}')
        return results

    def end(self, function: Callable, *args) -> list:
        """Exit codes by rank, of a function that ends its process."""
        self.start()
        for _, calls in self.processes:
            calls.send((function, args, {}))
        for process, _ in self.processes:
            process.join(60)
            if process.is_alive():  # pytest shows where it hangs
                os.kill(process.pid, signal.SIGABRT)
                process.join(5)
        codes = [process.exitcode for process, _ in self.processes]
        self.stop()
        return codes

    def stop(self) -> None:
        for process, calls in self.processes:
            process.kill()
            process.join()
            calls.close()
        self.processes = []
