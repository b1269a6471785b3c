import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


def version() -> str:
    scope = {}
    exec((ROOT / 'mmregioncl' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithMim(build_py):
    """Puts configs and tools into the wheel, where mim looks for them.

    They go to mmregioncl/.mim of the build folder; the source tree stays as it
    is. An editable install has them at the root of the checkout.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / 'mmregioncl' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        for name in ('configs', 'tools'):
            shutil.copytree(
                ROOT / name,
                mim / name,
                ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(ROOT / 'model-index.yml', mim)


setup(
    name='mmregioncl',
    version=version(),
    description='Region-level contrastive pre-training for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmregioncl', 'mmregioncl.*']),
    package_data=dict(
        mmregioncl=['datasets/class_lists/*.txt', 'visualization/report.html'
                    ]),
    install_requires=requirements('runtime'),
    extras_require=dict(
        transfer=requirements('transfer'),
        tests=requirements('tests'),
        lint=requirements('lint')),
    cmdclass=dict(build_py=BuildWithMim),
    zip_safe=False)
