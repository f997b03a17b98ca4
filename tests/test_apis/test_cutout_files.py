"""Files, folders and videos: names, order, faults, and nothing written over an input."""

import os
import weakref

import cv2
import numpy as np
import pytest
from cutout_cases import SIZE, HandPredictor, picture

from mmssl.apis import cutout_files
from mmssl.apis.background_removal import BackgroundRemover
from mmssl.apis.cutout_files import remove_backgrounds
from mmssl.apis.cutout_jobs import plan_jobs
from mmssl.errors import DataError

LEFT = np.zeros(SIZE, dtype=bool)
LEFT[:, :20] = True


def remover(**options) -> BackgroundRemover:
    return BackgroundRemover(HandPredictor(lambda image: [(LEFT[: image.shape[0], : image.shape[1]], 0)]), **options)


def write(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(seed))
    return path


def write_video(path, frames=5, size=SIZE):
    """Frames of one grey each, 20, 40, ..."""
    codec = {'.avi': 'MJPG', '.mp4': 'mp4v'}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, size[::-1])
    for number in range(frames):
        writer.write(np.full((*size, 3), min(20 * (number + 1), 255), np.uint8))
    writer.release()
    return path


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read()[1]) is not None:
        frames.append(frame)
    return frames, capture.get(cv2.CAP_PROP_FPS)


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())


def test_images_and_folders(tmp_path):
    write(tmp_path / 'in/b.png', 1)
    write(tmp_path / 'in/deep/a.JPG', 2)
    write(tmp_path / 'in/.hidden/c.png')
    (tmp_path / 'in/notes.txt').write_text('no image')
    write(tmp_path / 'one.two.png', 3)
    jobs = plan_jobs([tmp_path / 'one.two.png', tmp_path / 'in'], tmp_path / 'out')
    assert [job.target.relative_to(tmp_path / 'out').as_posix() for job in jobs] == [
        'one.two.png',
        'b.png',
        'deep/a.png',
    ]
    report = remove_backgrounds(remover(), jobs, progress=False)
    assert report.lines() == ['3 of 3 files written']
    assert files_below(tmp_path / 'out') == ['b.png', 'deep/a.png', 'one.two.png']
    for name, seed in (('b.png', 1), ('one.two.png', 3)):
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'out' / name)), picture(seed) * LEFT[..., None])
    # A second time the files are replaced.
    assert remove_backgrounds(remover(), jobs, progress=False).written == 3


def test_transparent_files(tmp_path):
    write(tmp_path / 'a.bmp', 1)
    jobs = plan_jobs([tmp_path / 'a.bmp'], tmp_path / 'out', True)
    remove_backgrounds(remover(background='transparent'), jobs, progress=False)
    found = cv2.imread(str(tmp_path / 'out/a.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, np.dstack([picture(1), np.full(SIZE, 255, np.uint8)]) * LEFT[..., None])


@pytest.mark.parametrize('batch_size', [1, 8])
def test_three_bad_ones_of_a_thousand(tmp_path, monkeypatch, batch_size):
    """997 are written, 3 named, and no more images are held than a batch."""
    (tmp_path / 'in').mkdir()
    good = cv2.imencode('.png', picture(0, (8, 24)))[1].tobytes()
    bad = {'0007.png': b'', '0500.png': b'not an image', '0999.png': good[: len(good) // 2]}
    for number in range(1000):
        name = f'{number:04}.png'
        (tmp_path / 'in' / name).write_bytes(bad.get(name, good))
    alive, most, read_image = 0, 0, cutout_files.read_image

    def forget():
        nonlocal alive
        alive -= 1

    def counted(path):
        nonlocal alive, most
        image = read_image(path)
        weakref.finalize(image, forget)
        alive += 1
        most = max(most, alive)
        return image

    monkeypatch.setattr(cutout_files, 'read_image', counted)
    jobs = plan_jobs([tmp_path / 'in'], tmp_path / 'out')
    report = remove_backgrounds(remover(batch_size=batch_size), jobs, progress=False)
    assert (len(jobs), report.written, most, alive) == (1000, 997, batch_size, 0)
    assert files_below(tmp_path / 'out') == [f'{i:04}.png' for i in range(1000) if f'{i:04}.png' not in bad]
    count, *faults = report.lines()
    assert count == '997 of 1000 files written'
    assert len(faults) == 3
    for name, fault in zip(bad, faults, strict=True):
        assert fault.startswith(f'failed: {tmp_path}/in/{name}: ') and fault.count(name) == 1


def test_faults_without_an_instance(tmp_path):
    jobs = plan_jobs([write(tmp_path / 'a.png'), write(tmp_path / 'b.png')], tmp_path / 'out')
    empty = BackgroundRemover(HandPredictor(lambda image: []), no_instance='fail')
    report = remove_backgrounds(empty, jobs, progress=False)
    assert report.written == 0 and not (tmp_path / 'out').exists()
    assert report.lines()[1:] == [f'failed: {tmp_path}/{name}.png: no instance found' for name in 'ab']


@pytest.mark.parametrize(('suffix', 'batch_size'), [('.avi', 1), ('.mp4', 4)])
def test_video(tmp_path, suffix, batch_size):
    video = write_video(tmp_path / f'clip{suffix}')
    jobs = plan_jobs([video], tmp_path / 'out')
    cutter = remover(batch_size=batch_size, background='white')
    assert remove_backgrounds(cutter, jobs, progress=False).lines() == ['1 of 1 files written']
    assert files_below(tmp_path / 'out') == ['clip.mp4']
    frames, rate = read_video(tmp_path / 'out/clip.mp4')
    assert (len(frames), rate) == (5, 10)
    for number, frame in enumerate(frames):  # MP4 loses some, less than half a step
        assert abs(frame[:, :14].mean() - 20 * (number + 1)) < 10
        assert frame[:, 26:].mean() > 249


def test_transparent_video(tmp_path):
    video = write_video(tmp_path / 'clip.mp4.avi', 3)
    jobs = plan_jobs([video], tmp_path / 'out', True)
    with pytest.raises(ValueError, match='transparent differs from the background, which is black$'):
        remove_backgrounds(remover(), jobs, progress=False)
    remove_backgrounds(remover(background='transparent'), jobs, progress=False)
    assert files_below(tmp_path / 'out') == [f'clip.mp4/{number:06}.png' for number in range(3)]
    frame = cv2.imread(str(tmp_path / 'out/clip.mp4/000001.png'), cv2.IMREAD_UNCHANGED)
    assert abs(frame[:, :20, :3].mean() - 40) < 3 and (frame[:, 20:] == 0).all() and (frame[:, :20, 3] == 255).all()
    with pytest.raises(
        DataError, match=r'out/clip.mp4: exists, expected no folder there for the frames of .*clip.mp4.avi$'
    ):
        plan_jobs([video], tmp_path / 'out', True)


def test_bad_videos(tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    broken = write_video(tmp_path / 'broken.avi', 40)
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    write_video(tmp_path / 'good.avi')
    names = ('text.mp4', 'broken.avi', 'none.avi', 'good.avi')
    jobs = plan_jobs([tmp_path / name for name in names], tmp_path / 'out')
    report = remove_backgrounds(remover(), jobs, progress=False)
    assert files_below(tmp_path / 'out') == ['broken.mp4', 'good.mp4'] and report.written == 2
    frames = len(read_video(tmp_path / 'out/broken.mp4')[0])
    assert 0 < frames < 39
    assert report.lines() == [
        '2 of 4 files written',
        f'note: {broken}: {frames} of 40 frames written',
        f'failed: {tmp_path}/text.mp4: not a readable video, no frame found, expected one or more',
        f'failed: {tmp_path}/none.avi: the file does not exist',
    ]

    empty = BackgroundRemover(HandPredictor(lambda image: [] if image.mean() > 50 else [(LEFT, 0)]), no_instance='fail')
    report = remove_backgrounds(empty, jobs[-1:], progress=False)
    assert report.lines()[1] == f'failed: {tmp_path}/good.avi: frame 3: no instance found'
    assert files_below(tmp_path / 'out') == ['broken.mp4', 'good.mp4']  # that of before, whole
    assert len(read_video(tmp_path / 'out/good.mp4')[0]) == 5


def test_plans_that_are_refused(tmp_path, monkeypatch):
    a, b = write(tmp_path / 'x/a.png'), write(tmp_path / 'y/a.png')
    write(tmp_path / 'x/a.jpg')
    out = tmp_path / 'out'
    with pytest.raises(
        DataError, match=r'x/a.png and .*y/a.png would both become .*out/a.png, expected one file a name$'
    ):
        plan_jobs([a, b], out)
    with pytest.raises(DataError, match=r'x/a.jpg and .*x/a.png would both become .*out/a.png'):
        plan_jobs([tmp_path / 'x'], out)
    for inputs, place in (
        ([a], tmp_path / 'x'),
        ([tmp_path / 'y'], tmp_path / 'y'),
        ([tmp_path / 'y'], tmp_path / 'y/cut'),
        ([tmp_path / 'y'], tmp_path / 'x/../y'),
    ):
        with pytest.raises(DataError, match=r'the cut-outs would lie among the images in .*, expected another folder$'):
            plan_jobs(inputs, place)
    os.symlink(tmp_path / 'x', tmp_path / 'link')
    with pytest.raises(DataError, match='the cut-outs would lie among the images'):
        plan_jobs([a], tmp_path / 'link')
    monkeypatch.chdir(tmp_path / 'x')
    with pytest.raises(DataError, match='the cut-outs would lie among the images'):
        plan_jobs(['a.png'], tmp_path / 'x')
    write(tmp_path / 'above/sub/b.png')
    write(tmp_path / 'above/sub/sub/b.png')
    with pytest.raises(DataError, match=r'sub/sub/b.png: its cut-out .*above/sub/b.png would replace an input'):
        plan_jobs([tmp_path / 'above/sub'], tmp_path / 'above')
    (tmp_path / 'none').mkdir()
    with pytest.raises(DataError, match=r'none: no image there; expected files that end with .png or '):
        plan_jobs([tmp_path / 'none'], out)
    with pytest.raises(DataError, match='x/a.png: a file found, expected a folder for the cut-outs$'):
        plan_jobs([b], a)
    assert not out.exists()
