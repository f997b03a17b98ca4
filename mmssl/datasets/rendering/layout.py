"""Which objects stand where: a street drawn from a generator, in metres.

The layout decides every mask; it knows neither colours nor pixels.
"""

from dataclasses import dataclass, field

import numpy as np

from mmssl.datasets.rendering.camera import FARTHEST, Camera

BACK, STREET = 0, 1


@dataclass
class Item:
    """One object of the street.

    Args:
        kind (str): Names the function that paints it.
        s (float): Distance of its near end, metres: farther items are painted first.
        u (float): Offset to the right of the road's centre line, metres.
        layer (int): BACK (behind the pavement) is painted before STREET.
        look (np.ndarray): (8,) uniform numbers for colours and small differences.
        shape (dict): Measures that depend on the kind, metres unless the painter says otherwise.
    """

    kind: str
    s: float
    u: float
    layer: int
    look: np.ndarray
    shape: dict = field(default_factory=dict)


@dataclass
class Layout:
    """A street without its appearance.

    Args:
        camera (Camera): Where it is seen from.
        half (float): Half of the road's width, metres.
        pavements (dict): Width of the pavement on each side (-1 left, 1 right), metres; 0 for none.
        verge (dict): Whether the ground beyond the pavement is grass (labelled Tree) on each side.
        junctions (list): ``(s0, s1, side)`` of the side roads.
        sun (tuple): Side the sun stands on (-1 or 1), length of a shadow a metre of height, and its drift along s.
        look (np.ndarray): (32,) uniform numbers for the ground and the sky.
        items (list[Item]): Everything that stands on the ground.
    """

    camera: Camera
    half: float
    pavements: dict
    verge: dict
    junctions: list
    sun: tuple
    look: np.ndarray
    items: list


class StreetPlan:
    """Draws one layout; see :func:`draw_layout`."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.items: list[Item] = []
        self.drive = -1 if rng.random() < 0.75 else 1
        self.half = rng.uniform(3.0, 6.0)
        lateral = self.drive * self.half * rng.uniform(0.2, 0.65)
        self.camera = Camera.draw(rng, lateral)
        self.districts = {side: str(rng.choice(['urban', 'suburb', 'park'], p=[0.56, 0.28, 0.16])) for side in (-1, 1)}
        self.pavements = {side: rng.uniform(1.3, 3.4) if rng.random() < 0.92 else 0.0 for side in (-1, 1)}
        self.verge = {side: self.districts[side] != 'urban' and rng.random() < 0.6 for side in (-1, 1)}
        self.junctions = []
        if rng.random() < 0.4:
            near = rng.uniform(9, 42)
            wide = rng.uniform(6, 11)
            self.junctions = [(near, near + wide, side) for side in (-1, 1) if rng.random() < 0.75]

    def add(self, kind: str, s: float, u: float, layer: int = STREET, **shape) -> None:
        """Put an item on the street."""
        self.items.append(Item(kind, float(s), float(u), layer, self.rng.random(8), shape))

    def open_at(self, s0: float, s1: float, side: int) -> bool:
        """Whether a side road leaves between two distances."""
        return any(j[2] == side and s0 < j[1] and s1 > j[0] for j in self.junctions)

    def edge(self, side: int) -> float:
        """Offset of the pavement's outer edge."""
        return side * (self.half + self.pavements[side])

    def row(self, side: int) -> None:
        """Buildings, gardens and trees along one side, from near to far."""
        rng, district = self.rng, self.districts[side]
        edge = self.edge(side)
        s = rng.uniform(-7, 3)
        storey = rng.uniform(2.8, 3.6)
        while s < FARTHEST - 4:
            crossing = [j for j in self.junctions if j[2] == side and j[0] - 2 < s + 5 and s < j[1] + 2]
            if crossing:
                s = crossing[0][1] + rng.uniform(2, 4)
            if district == 'urban':
                length, floors, setback = rng.uniform(5, 17), rng.integers(2, 5), rng.choice([0.0, 0.0, 0.0, 1.5])
                gap = rng.uniform(2, 14) if rng.random() < 0.16 else 0.0
            elif district == 'suburb':
                length, floors, setback = rng.uniform(6, 11), rng.integers(1, 3), rng.uniform(2.0, 7.0)
                gap = rng.uniform(1.5, 9)
            else:
                length, floors, setback = rng.uniform(8, 18), rng.integers(1, 4), rng.uniform(9, 24)
                gap = rng.uniform(8, 40)
            end = s + length
            for near, far, at in self.junctions:
                if at == side and s < far and end > near - 2:
                    end = near - rng.uniform(1.5, 2.5)
            if end - s > 2.5 and end > 2.0:
                self.add(
                    'building', s, edge + side * setback, BACK, end=end, side=side, height=floors * storey,
                    floors=int(floors), roof=rng.uniform(0.8, 3.2) if rng.random() < 0.6 else 0.0,
                    depth=rng.uniform(7, 14), storey=storey, shop=district == 'urban' and rng.random() < 0.55,
                )  # fmt: skip
            s = max(end, s + 2.5)
            if gap:
                self.garden(s, s + gap, side)
                s += gap
        if district != 'urban':
            self.garden(1.5, FARTHEST * 0.6, side)

    def garden(self, s0: float, s1: float, side: int) -> None:
        """Trees and bushes beyond the pavement between two distances."""
        rng = self.rng
        for s in np.arange(max(s0, 2) + rng.uniform(0, 4), s1, rng.uniform(3.5, 9)):
            if self.open_at(s - 1, s + 1, side):
                continue
            u = self.edge(side) + side * rng.uniform(0.8, 6)
            if rng.random() < 0.65:
                self.tree(s, u, BACK)
            else:
                self.add('bush', s, u, BACK, height=rng.uniform(0.8, 2.4), wide=rng.uniform(0.8, 2.5))

    def tree(self, s: float, u: float, layer: int) -> None:
        """One tree; `hole` is the share of sky that is seen through its crown."""
        rng = self.rng
        height = rng.uniform(3.5, 11)
        self.add(
            'tree', s, u, layer, height=height, wide=height * rng.uniform(0.2, 0.36),
            trunk=height * rng.uniform(0.2, 0.4), bole=rng.uniform(0.12, 0.26), hole=rng.uniform(0, 0.42),
        )  # fmt: skip

    def furniture(self, side: int) -> None:
        """Lamps, signs, bollards, fences, street trees and clutter along one kerb."""
        rng, half, pavement = self.rng, self.half, self.pavements[side]
        kerb = side * (half + 0.45)
        outer = self.edge(side)
        spacing = rng.uniform(20, 44)
        for s in np.arange(rng.uniform(7, 28), FARTHEST * 0.7, spacing):
            if not self.open_at(s, s, side):
                self.add(
                    'lamp', s, kerb if rng.random() < 0.7 else outer, height=rng.uniform(5, 8.5),
                    wide=rng.uniform(0.08, 0.15), arm=rng.uniform(0.6, 1.8) * -side,
                )  # fmt: skip
        for s in self.depths(rng.poisson(2.0), 6, 45):
            self.add(
                'sign', s, kerb if rng.random() < 0.8 else outer, plate=rng.uniform(0.45, 0.85),
                height=rng.uniform(1.4, 2.9), form=int(rng.integers(0, 4)), wide=rng.uniform(0.05, 0.08),
            )  # fmt: skip
        if rng.random() < 0.2:
            self.add(
                'sign', rng.uniform(6, 25), outer, plate=rng.uniform(1.0, 2.0), height=rng.uniform(1.6, 3.4), form=4,
                wide=rng.uniform(0.1, 0.2),
            )  # fmt: skip
        if self.districts[side] == 'urban':
            for s in self.depths(rng.poisson(1.2), 5, 40):
                self.add('hanging', s, outer, side=side, height=rng.uniform(2.6, 4.2), plate=rng.uniform(0.5, 1.0))
        for near, far, at in self.junctions:
            if at == side and rng.random() < 0.7:
                s = near - 0.8 if rng.random() < 0.6 else far + 0.8
                self.add('signal', s, kerb, height=rng.uniform(2.8, 3.8), wide=rng.uniform(0.07, 0.11))
        if rng.random() < 0.25:
            start = rng.uniform(4, 25)
            for s in start + np.arange(rng.integers(3, 9)) * rng.uniform(1.5, 2.5):
                if not self.open_at(s, s, side):
                    self.add('bollard', s, kerb, height=rng.uniform(0.8, 1.1), wide=rng.uniform(0.1, 0.2))
        chance = {'urban': 0.16, 'suburb': 0.5, 'park': 0.5}[self.districts[side]]
        if rng.random() < chance:
            self.fence(outer + side * 0.15, side, BACK)
        if pavement and rng.random() < 0.08:
            self.fence(side * (half + 0.3), side, STREET)
        if pavement > 1.8 and rng.random() < 0.28:
            for s in np.arange(rng.uniform(5, 20), 60, rng.uniform(7, 14)):
                if not self.open_at(s - 1, s + 1, side):
                    self.tree(s, kerb + side * 0.4, STREET)
        for s in self.depths(rng.poisson(1.3), 4, 40):
            self.add('clutter', s, outer - side * 0.4, height=rng.uniform(0.6, 1.4), wide=rng.uniform(0.3, 1.0))

    def fence(self, u: float, side: int, layer: int) -> None:
        """A fence in short pieces, so that each is painted at its own distance."""
        rng = self.rng
        s, end = rng.uniform(2, 18), rng.uniform(14, 60)
        height, bars = rng.uniform(0.8, 1.7), rng.random() < 0.5
        color = rng.random(2)
        while s < end:
            if not self.open_at(s, s + 3, side):
                self.add('fence', s, u, layer, end=s + 3.0, height=height, bars=bool(bars), color=color)
            s += 3.0

    def depths(self, count: int, near: float, far: float) -> np.ndarray:
        """Distances, as many at near as at far in the picture (uniform in the logarithm)."""
        return near * (far / near) ** self.rng.random(count)

    def traffic(self) -> None:
        """Parked, driving and crossing vehicles, people and bicycles."""
        rng, half, drive = self.rng, self.half, self.drive
        lane = half * 0.5
        for side in (-1, 1):
            if half > 3.8 and rng.random() < 0.42:
                s = rng.uniform(5, 26)
                full = rng.uniform(0.4, 0.95)
                while s < 70:
                    if rng.random() < full and not self.open_at(s - 2.5, s + 7, side):
                        self.vehicle(s, side * (half - 1.05), 0.0 if side == drive else np.pi)
                    s += rng.uniform(5.3, 7.5)
        for s in self.depths(rng.poisson(1.1), 8, 70):
            self.vehicle(s, drive * lane + rng.normal(0, 0.3), rng.normal(0, 0.03))
        for s in self.depths(rng.poisson(1.2), 7, 70):
            self.vehicle(s, -drive * lane + rng.normal(0, 0.3), np.pi + rng.normal(0, 0.03))
        for near, far, side in self.junctions:
            if rng.random() < 0.6:
                u = side * rng.uniform(-1, half + 7)
                self.vehicle(0.5 * (near + far), u, side * np.pi / 2 + rng.normal(0, 0.1))
        for s in self.depths(rng.poisson(3.0), 6, 45):
            side = -1 if rng.random() < 0.5 else 1
            width = max(self.pavements[side], 0.8)
            for _ in range(1 + (rng.random() < 0.3)):
                crossing = rng.random() < 0.12
                u = rng.uniform(-half, half) if crossing else side * (half + rng.uniform(0.2, 1) * width)
                self.add(
                    'pedestrian', s + rng.normal(0, 0.4), u, height=rng.uniform(1.5, 1.9),
                    stride=0.16 * rng.random() ** 1.5, wide=rng.uniform(0.85, 1.2),
                    turn=-1 if rng.random() < 0.5 else 1,
                )  # fmt: skip
        for s in self.depths(rng.poisson(0.85), 8, 36):
            side = -1 if rng.random() < 0.5 else 1
            self.add(
                'bicyclist', s, side * (half - rng.uniform(0.5, 1.8)), height=rng.uniform(1.6, 1.85),
                slant=rng.uniform(0.2, 1), turn=-1 if rng.random() < 0.5 else 1,
            )  # fmt: skip

    def vehicle(self, s: float, u: float, heading: float) -> None:
        """One vehicle; `heading` is 0 when its front looks away from the camera."""
        kind = int(self.rng.choice(6, p=[0.37, 0.31, 0.19, 0.08, 0.02, 0.03]))
        length = (3.9, 4.5, 4.5, 5.2, 10.5, 7.0)[kind]
        near = s - 0.5 * abs(np.cos(heading)) * length - 0.5 * abs(np.sin(heading)) * 1.8
        if near > 2.6:
            # Beyond the pavement a vehicle stands in a side road, and the buildings before it hide it.
            behind = abs(u) > abs(self.edge(1 if u > 0 else -1))
            self.add(
                'car', near, u, BACK if behind else STREET, centre=s, heading=float(heading), model=kind, length=length
            )


def draw_layout(seed: int, index: int) -> Layout:
    """Draw the street with this number.

    Args:
        seed (int): Number of the collection, at least 0.
        index (int): Number of the street in it, at least 0.

    Returns:
        Layout: The same one in every process and on every machine.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    plan = StreetPlan(rng)
    for side in (-1, 1):
        plan.row(side)
        plan.furniture(side)
    plan.traffic()
    plan.items.sort(key=lambda item: (item.layer, -item.s))
    sun = (-1 if rng.random() < 0.5 else 1, rng.uniform(0.25, 1.3), rng.uniform(-0.8, 0.8))
    return Layout(plan.camera, plan.half, plan.pavements, plan.verge, plan.junctions, sun, rng.random(32), plan.items)
