import json
import re
import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


def version() -> str:
    return runpy.run_path(str(ROOT / 'mmregioncl/version.py'))['__version__']


def metafile(folder: str) -> dict:
    """What mim finds of the configs in a folder, from their names."""
    table = runpy.run_path(str(ROOT / 'configs/_base_/metafile.py'))
    data = table['training_data']
    collection = dict(
        table['collections'][folder], README=f'configs/{folder}/README.md')
    models = []
    for path in sorted((ROOT / 'configs' / folder).glob('*.py')):
        named = re.search(r'_(\d+)xb(\d+)(?:-accum(\d+))?-.*-(\d+)e_(.+)$',
                          path.stem)
        if not named or named[5] not in data:
            raise ValueError(
                f'{path} has to be named METHOD_NETWORK_GPUSxbBATCH-SCHEDULE-'
                'EPOCHSe_DATA.py, with DATA in configs/_base_/metafile.py')
        gpus, batch, steps, epochs, name = named.groups(default='1')
        metadata = {
            'Epochs': int(epochs),
            'Batch Size': int(gpus) * int(batch) * int(steps),
            'Training Data': data.get(f'{folder}/{name}') or data[name]
        }
        models.append({
            'Name': path.stem,
            'In Collection': collection['Name'],
            'Metadata': metadata,
            'Config': f'configs/{folder}/{path.name}'
        })
    return dict(Collections=[collection], Models=models)


def write_metafiles(root: Path) -> None:
    """Write the files that model-index.yml names, in JSON, which is YAML."""
    for path in re.findall(r'configs/(\w+)/metafile.yml',
                           (ROOT / 'model-index.yml').read_text()):
        text = json.dumps(metafile(path), indent=2)
        (root / 'configs' / path / 'metafile.yml').write_text(text + '\n')


class BuildWithMim(build_py):
    """Puts configs and tools where mim looks for them.

    In a wheel, that is mmregioncl/.mim; an editable install has them at the
    root of the checkout.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            write_metafiles(ROOT)
            return
        mim = Path(self.build_lib) / 'mmregioncl' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        for name in ('configs', 'tools'):
            shutil.copytree(
                ROOT / name,
                mim / name,
                ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(ROOT / 'model-index.yml', mim)
        write_metafiles(mim)


if __name__ == '__main__':
    setup(
        version=version(),
        packages=find_packages(include=['mmregioncl', 'mmregioncl.*']),
        package_data=dict(mmregioncl=[
            'py.typed', 'datasets/class_lists/*.txt',
            'visualization/report.html'
        ]),
        include_package_data=False,
        install_requires=requirements('runtime'),
        extras_require=dict(
            mmselfsup=requirements('mmselfsup'),
            mmpretrain=requirements('mmpretrain'),
            transfer=requirements('transfer'),
            tiff=requirements('tiff'),
            tests=requirements('tests'),
            lint=requirements('lint')),
        cmdclass=dict(build_py=BuildWithMim),
        zip_safe=False)
