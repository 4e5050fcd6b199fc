"""One module and one meter, put together from a few choices and a seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from meterlab.air import Air, Link, Node
from meterlab.household import INSTALLED, Household
from meterlab.meter import Manners, Meter
from meterlab.metering import Equipment
from meterlab.modem import Traits
from meterlab.modules import j11_products
from meterlab.modules.base import Module, Quirks
from meterlab.modules.j11 import J11
from meterlab.modules.j11_products import J11_KINDS
from meterlab.modules.sk_flash import Flash
from meterlab.modules.sk_products import PRODUCTS
from meterlab.modules.skstack import SkStack
from meterlab.pana import Conduct, Paa
from meterlab.rival import Rival
from meterlab.scheduler import Scheduler

KINDS = (*PRODUCTS, *J11_KINDS)


@dataclass(slots=True)
class Plan:
    """Everything that can be chosen. `solar`: watts at peak. `rbid`, `password`: the meter's
    B-route credentials. `neighbours`: meters of other homes on the air, each with its own
    credentials, the first on the same channel. `echo`, `hex_data`: SFE and WOPT at the start,
    None = as delivered. The parts it holds are used as they are, not copied."""

    rbid: str
    password: str
    kind: str = "bp35a1"
    seed: int = 0
    solar: int = 0
    installed: int = INSTALLED
    equipment: Equipment = field(default_factory=Equipment)
    manners: Manners = field(default_factory=Manners)
    conduct: Conduct = field(default_factory=Conduct)
    link: Link = field(default_factory=Link)
    quirks: Quirks = field(default_factory=Quirks)
    traits: Traits | None = None
    echo: bool | None = None
    hex_data: bool | None = None
    neighbours: int = 0


class World:
    """`module` hangs on the host's UART; `node` is the meter it hears."""

    def __init__(self, scheduler: Scheduler, plan: Plan) -> None:
        if plan.kind not in KINDS:
            raise ValueError(f"no module called {plan.kind}; there are {', '.join(KINDS)}")
        rng = Random(f"world {plan.seed}")
        self.scheduler = scheduler
        self.plan = plan
        self.link = plan.link
        self.air = Air(scheduler)
        self.household = Household(plan.seed, solar=plan.solar, installed=plan.installed)
        self.meter = Meter(
            scheduler,
            self.household,
            equipment=plan.equipment,
            manners=plan.manners,
            seed=plan.seed,
        )
        mac = bytes.fromhex("001C6400") + rng.randbytes(4)
        self.node = Node(
            scheduler,
            self.meter,
            Paa(scheduler, plan.rbid, plan.password, conduct=plan.conduct, seed=plan.seed),
            mac=mac,
            channel=0x21 + 2 * rng.randrange(14),
            pan_id=int.from_bytes(mac[6:], "big"),
            seed=plan.seed,
        )
        self.air.add_node(self.node)
        self.neighbours = [
            _neighbour(scheduler, plan, i, self.node) for i in range(plan.neighbours)
        ]
        for node in self.neighbours:
            self.air.add_node(node)
        self.module = _module(scheduler, self.air, plan, rng)
        self.air.place(self.module.modem, self.node, plan.link)
        for i, node in enumerate(self.neighbours):
            self.air.place(self.module.modem, node, Link(rssi=-72 - 6 * i))

    @property
    def sk(self) -> SkStack:
        """The module, which speaks SKSTACK text. TypeError when it does not."""
        if not isinstance(self.module, SkStack):
            raise TypeError(f"{self.plan.kind} does not speak SKSTACK")
        return self.module

    @property
    def j11(self) -> J11:
        """The module, which speaks J11 frames. TypeError when it does not."""
        if not isinstance(self.module, J11):
            raise TypeError(f"{self.plan.kind} does not speak J11")
        return self.module

    @cached_property
    def rival(self) -> Rival:
        """A second HEMS in the home; it appears when it is first asked for."""
        return Rival(self.scheduler, self.air, self.node)

    def start(self) -> None:
        self.meter.start()

    def stop(self) -> None:
        self.meter.stop()


def _neighbour(scheduler: Scheduler, plan: Plan, number: int, node: Node) -> Node:
    """The meter of another home."""
    rng = Random(f"neighbour {plan.seed} {number}")
    mac = bytes.fromhex("001C6400") + rng.randbytes(4)
    household = Household(plan.seed + 7_919 * (number + 1), installed=plan.installed)
    rbid = f"{rng.getrandbits(128):032X}"
    password = f"{rng.getrandbits(48):012X}"
    return Node(
        scheduler,
        Meter(scheduler, household, seed=plan.seed + number + 1),
        Paa(scheduler, rbid, password, seed=plan.seed + number + 1),
        mac=mac,
        channel=node.channel if not number else 0x21 + 2 * rng.randrange(14),
        pan_id=int.from_bytes(mac[6:], "big"),
        seed=plan.seed + number + 1,
    )


def _module(scheduler: Scheduler, air: Air, plan: Plan, rng: Random) -> Module:
    """The module a plan asks for, made as it left the works."""
    framed = j11_products.product(plan.kind)
    if framed is not None:
        if plan.echo is not None or plan.hex_data is not None:
            raise ValueError(f"{plan.kind} speaks J11: neither echo nor data format to choose")
        return J11(
            scheduler,
            air,
            framed,
            mac=framed.mac + rng.randbytes(8 - len(framed.mac)),
            traits=plan.traits,
            quirks=plan.quirks,
            seed=plan.seed,
        )
    product = PRODUCTS[plan.kind]
    if plan.echo is not None:
        product = replace(product, echo=plan.echo)
    hex_data = product.hex_data if plan.hex_data is None else plan.hex_data
    return SkStack(
        scheduler,
        air,
        product,
        mac=product.mac + rng.randbytes(8 - len(product.mac)),
        flash=Flash(hex_data=hex_data),
        traits=plan.traits,
        quirks=plan.quirks,
        seed=plan.seed,
    )
