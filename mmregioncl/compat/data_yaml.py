"""Plain data in YAML, in time and memory bounded by its length."""
import yaml
from yaml import FullLoader

from .data_pickles import NotData, check_keys

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without its extension
    from yaml import SafeLoader  # type: ignore[assignment]

MERGE = 'tag:yaml.org,2002:merge'
MOST_COLONS = 10
MOST_LEVELS = 1000
MOST_MERGED = 10**5
PYTHON = 'tag:yaml.org,2002:python/'


class DataLoader(SafeLoader):
    """PyYAML's loader of data, with the types that its dumper writes."""
    depth = merged = 0

    def descend_resolver(self, *_) -> None:
        """Refuse deep files, which make the parser in C overflow its stack."""
        self.depth += 1
        if self.depth > MOST_LEVELS:
            raise ValueError(f'more than {MOST_LEVELS} levels')

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge what ``<<`` names, which may name the same again and again."""
        for key, value in node.value:
            if key.tag == MERGE:
                is_list = isinstance(value, yaml.SequenceNode)
                for other in value.value if is_list else [value]:
                    self.flatten_mapping(other)
                    self.merged += len(other.value)
                    if self.merged > MOST_MERGED:
                        raise ValueError(f'more than {MOST_MERGED} items are '
                                         'merged by <<')
        super().flatten_mapping(node)

    def construct_scalar(self, node: yaml.Node) -> str:
        """Refuse long numbers in base 60, such as 1:30:00."""
        value = super().construct_scalar(node)
        if (node.tag.endswith(('int', 'long', 'float'))
                and value.count(':') > MOST_COLONS):
            raise ValueError(f'a number has more than {MOST_COLONS} colons')
        return value

    def construct_mapping(self,
                          node: yaml.MappingNode,
                          deep: bool = False) -> dict:
        self.flatten_mapping(node)
        check_keys([
            self.construct_object(key, deep) for key, _ in node.value
            if not isinstance(key, yaml.ScalarNode)
        ])
        return super().construct_mapping(node, deep)


def refuse(loader: DataLoader, name: str, node: yaml.Node) -> None:
    raise NotData(name)


for kind in ('none', 'bool', 'str', 'unicode', 'bytes', 'int', 'long', 'float',
             'complex', 'list', 'tuple', 'dict'):
    DataLoader.add_constructor(PYTHON + kind,
                               FullLoader.yaml_constructors[PYTHON + kind])
DataLoader.add_multi_constructor(PYTHON, refuse)
