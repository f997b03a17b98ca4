"""Data flows one way through the house: read the imports and hold them against the rules of CONTRIBUTING.md."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmssl'
# What may be imported from anywhere.
COMMON = {
    'atomic_file',
    'background',
    'checkpoint_loading',
    'checkpoint_pointer',
    'compat',
    'download',
    'errors',
    'hash_in_name',
    'host_versions',
    'partial_loading',
    'pending_files',
    'random_state',
    'registry',
    'safetensors_file',
    'tensor_file',
    'testing',
    'version',
}
# room -> rooms of mmssl that it may import, besides itself and COMMON
ALLOWED = {
    'datasets': set(),
    'models': set(),
    'transfer': set(),
    'pruning': set(),
    'evaluation': set(),
    'visualization': set(),
    'engine': {'datasets', 'models', 'transfer', 'pruning', 'evaluation', 'visualization'},
    'apis': {'datasets', 'models', 'transfer', 'pruning', 'evaluation', 'visualization', 'engine'},
    'search': {'models', 'apis'},
}
# rooms whose third-party imports are restricted
THIRD_PARTY = {'transfer': {'torch', 'mmengine', 'numpy'}, 'pruning': {'torch', 'mmengine', 'numpy'}}


def imported_modules(path: Path) -> set[str]:
    """Absolute names of what a file of the package imports."""
    names = set()
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    package = parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names.add('.'.join([*base, *([node.module] if node.module else [])]))
    return names


def violations(room: str) -> list[str]:
    found = []
    for path in sorted((PACKAGE / room).rglob('*.py')):
        for name in imported_modules(path):
            parts = name.split('.')
            if parts[0] == 'mmssl':
                target = parts[1] if len(parts) > 1 else None
                if target and target != room and target not in COMMON | ALLOWED[room]:
                    found.append(f'{path.relative_to(PACKAGE)} imports {name}')
    return found


@pytest.mark.parametrize('room', sorted(ALLOWED))
def test_rooms_import_one_way(room):
    assert violations(room) == []


def test_every_room_has_a_rule():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / '__init__.py').exists()}
    assert rooms <= set(ALLOWED)


@pytest.mark.parametrize('room', sorted(THIRD_PARTY))
def test_weights_rooms_need_torch_and_mmengine_only(room):
    import sys

    for path in (PACKAGE / room).rglob('*.py'):
        third_party = {name.split('.')[0] for name in imported_modules(path)} - set(sys.stdlib_module_names) - {'mmssl'}
        assert third_party <= THIRD_PARTY[room], f'{path.name} imports {third_party - THIRD_PARTY[room]}'


def test_common_modules_import_no_room():
    for name in COMMON:
        for imported in imported_modules(PACKAGE / f'{name}.py'):
            parts = imported.split('.')
            assert parts[0] != 'mmssl' or parts[1] in COMMON, f'{name}.py imports {imported}'
