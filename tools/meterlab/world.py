"""One module and one meter, put together from a few choices and a seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from meterlab.air import Air, Link, Node
from meterlab.household import INSTALLED, Household
from meterlab.meter import Manners, Meter
from meterlab.metering import Equipment
from meterlab.modem import Traits
from meterlab.modules.sk_flash import Flash
from meterlab.modules.sk_products import PRODUCTS
from meterlab.modules.skstack import Quirks, SkStack
from meterlab.pana import Conduct, Paa
from meterlab.scheduler import Scheduler

KINDS = tuple(PRODUCTS)


@dataclass(slots=True)
class Plan:
    """Everything that can be chosen. `solar`: watts at peak. `rbid`, `password`: the meter's
    B-route credentials. `echo`, `hex_data`: SFE and WOPT at the start, None = as delivered. The
    parts it holds are used as they are, not copied."""

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


class World:
    """`module` hangs on the host's UART; `node` is the meter it hears."""

    def __init__(self, scheduler: Scheduler, plan: Plan) -> None:
        product = PRODUCTS.get(plan.kind)
        if product is None:
            raise ValueError(f"no module called {plan.kind}; there are {', '.join(KINDS)}")
        if plan.echo is not None:
            product = replace(product, echo=plan.echo)
        hex_data = product.hex_data if plan.hex_data is None else plan.hex_data
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
        self.module = SkStack(
            scheduler,
            self.air,
            product,
            mac=product.mac + rng.randbytes(8 - len(product.mac)),
            flash=Flash(hex_data=hex_data),
            traits=plan.traits,
            quirks=plan.quirks,
            seed=plan.seed,
        )
        self.air.place(self.module.modem, self.node, plan.link)

    def start(self) -> None:
        self.meter.start()

    def stop(self) -> None:
        self.meter.stop()
