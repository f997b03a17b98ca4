"""Parts of COCO: disjoint, the same on every machine, counted as table 4.1 of S3."""

import hashlib
import importlib.util
import json

import pytest
from mmdet.datasets import CocoDataset
from pycocotools.coco import COCO

from mmssl.errors import DataError, DataNotFoundError


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('subset', repository / 'tools/dataset_converters/coco_subset.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def annotation(number: int, image: int, category: int, crowd: int = 0) -> dict:
    box = [1.0, 2.0, 3.0, 4.0]
    return {
        'id': number,
        'image_id': image,
        'category_id': category,
        'bbox': box,
        'area': 12.0,
        'iscrowd': crowd,
        'segmentation': [[1, 2, 4, 2, 4, 6, 1, 6]],
    }


CONTENT = {
    'info': {'year': 2017},
    'images': [{'id': 10 + i, 'file_name': f'{i:03}.jpg', 'height': 20, 'width': 30} for i in range(7)],
    'annotations': [
        *(annotation(i, 10 + i % 5, 1) for i in range(10)),  # images 15 and 16 have none of these
        annotation(10, 15, 3),
        annotation(11, 10, 3, crowd=1),
    ],
    'categories': [{'id': 1, 'name': 'person'}, {'id': 2, 'name': 'bear'}, {'id': 3, 'name': 'cat'}],
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(CONTENT))
    return path


def test_draw_is_the_documented_one(tool):
    names = [f'{i}.jpg' for i in range(9)]
    ranked = sorted(names, key=lambda name: hashlib.sha256(b'7/' + name.encode()).hexdigest())
    drawn = tool.draw_parts(names[::-1], {'train': 4, 'val': 2}, 7)
    assert drawn == {'train': set(ranked[:4]), 'val': set(ranked[4:6])}
    assert tool.draw_parts(names, {'train': 4, 'val': 2, 'test': 3}, 7) == {**drawn, 'test': set(ranked[6:])}
    assert tool.draw_parts(names, {'train': 4, 'val': 2}, 8) != drawn


def test_counts_by_hand(tool):
    counts = tool.count_objects(CONTENT)
    assert counts.pop('classes') == {'person': 10, 'bear': 0, 'cat': 1}
    assert counts == {'images': 7, 'without_objects': 1, 'crowds': 1, 'objects': 11}
    assert tool.count_table({'all': tool.count_objects(CONTENT)})[2:] == [
        'person              10',
        'bear                 0',
        'cat                  1',
        '[objects]           11',
        '[crowds]             1',
        '[images]             7',
        '[without objects]    1',
    ]


def test_parts_of_a_file(tool, source, tmp_path, capsys):
    command = [str(source), '--part', 'train=3', '--part', 'val=2', '--seed', '0', '--out']
    tool.main([*command, str(tmp_path / 'out')])
    report = json.loads((tmp_path / 'out/subset.json').read_text())
    assert report['source'] == 'instances.json' and report['seed'] == 0
    parts = {name: json.loads((tmp_path / f'out/instances_{name}.json').read_text()) for name in ('train', 'val')}
    ids = {name: [image['id'] for image in part['images']] for name, part in parts.items()}
    assert list(map(len, ids.values())) == [3, 2] and not set(ids['train']) & set(ids['val'])
    for name, part in parts.items():
        assert ids[name] == sorted(ids[name])
        assert part['annotations'] == [a for a in CONTENT['annotations'] if a['image_id'] in ids[name]]
        assert part['categories'] == CONTENT['categories'] and part['info'] == CONTENT['info']
        text = (tmp_path / f'out/instances_{name}.json').read_bytes()
        assert report['parts'][name]['sha256'] == hashlib.sha256(text).hexdigest()
        assert report['parts'][name] | tool.count_objects(part) == report['parts'][name]
    assert 'person' in capsys.readouterr().out

    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'out').iterdir()}
    assert set(before) == {'instances_train.json', 'instances_val.json', 'subset.json'}
    tool.main([*command, str(tmp_path / 'again')])
    assert all((tmp_path / 'again' / name).read_bytes() == (tmp_path / 'out' / name).read_bytes() for name in before)
    command[command.index('0')] = '1'
    with pytest.raises(SystemExit):
        tool.main([*command, str(tmp_path / 'out')])
    assert 'instances_train.json: exists with other content; expected another --out' in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'out').iterdir()} == before


def test_parts_of_coco128(tool, coco128_root, tmp_path):
    source = coco128_root / 'annotations/instances_train.json'
    parts = {'a': 50, 'b': 30}
    report = tool.make_subset(source, parts, 0, tmp_path, coco128_root / 'images')
    assert [report['parts'][part]['images'] for part in parts] == [50, 30]
    everything = COCO(source)
    crowds = sum(entry['iscrowd'] for entry in everything.anns.values())
    assert sum(part['objects'] for part in report['parts'].values()) == 609 - crowds
    persons = everything.getAnnIds(catIds=everything.getCatIds(['person']), iscrowd=False)
    assert sum(part['classes']['person'] for part in report['parts'].values()) == len(persons) > 0
    dataset = CocoDataset(
        data_root=str(coco128_root), ann_file=str(tmp_path / 'instances_b.json'), data_prefix={'img': 'images/'}
    )
    assert len(dataset) == 30
    first = dataset.get_data_info(0)
    assert len(first['instances']) == len(COCO(tmp_path / 'instances_b.json').getAnnIds(first['img_id'])) > 0


@pytest.mark.parametrize(
    ('parts', 'message'),
    [
        (['train'], '--part train: expected a name and a number of images, as in train=20000'),
        (['train=0'], '--part train=0: expected a name and a number of images, as in train=20000'),
        (['../x=3'], '--part ../x=3: expected a name and a number of images, as in train=20000'),
        (['a=1', 'a=2'], '--part a=2: the part a is named twice'),
        (['a=5', 'b=3'], '--part: 5 + 3 = 8 images asked for, 7 found'),
    ],
)
def test_bad_parts(tool, source, tmp_path, parts, message):
    with pytest.raises(ValueError) as caught:
        tool.make_subset(source, tool.parse_parts(parts), 0, tmp_path / 'out')
    assert str(caught.value) == message
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'images': []}, 'the list of images is empty$'),
        ({'images': None}, "no list 'images'; expected the annotations of objects in the form of COCO$"),
        ({'annotations': [annotation(1, 99, 1)]}, "annotation 1 has image_id 99, which is not in 'images'$"),
        ({'annotations': [annotation(1, 10, 9)]}, "annotation 1 has category_id 9, which is not in 'categories'$"),
        ({'images': CONTENT['images'][:1] * 2}, r"1 values of 'id' are twice in 'images' \(10\)$"),
    ],
)
def test_bad_annotations(tool, source, change, message):
    source.write_text(json.dumps({**CONTENT, **change}))
    with pytest.raises(DataError, match=f'instances.json: {message}'):
        tool.read_annotations(source)


def test_bad_files(tool, source, tmp_path):
    with pytest.raises(DataNotFoundError, match='none.json: the annotation file does not exist'):
        tool.read_annotations(tmp_path / 'none.json')
    source.write_text('{"images": [')
    with pytest.raises(DataError, match=r'instances.json: not json \('):
        tool.read_annotations(source)
    source.write_text(json.dumps(CONTENT))
    for image in CONTENT['images'][:5]:
        (tmp_path / image['file_name']).touch()
    with pytest.raises(DataNotFoundError, match=r'2 of the 7 images drawn are not there \(005.jpg, 006.jpg\)$'):
        tool.make_subset(source, {'all': 7}, 0, tmp_path / 'out', tmp_path)
    with pytest.raises(DataNotFoundError, match='--images .*none: the folder does not exist'):
        tool.make_subset(source, {'all': 7}, 0, tmp_path / 'out', tmp_path / 'none')
    assert not (tmp_path / 'out').exists()
