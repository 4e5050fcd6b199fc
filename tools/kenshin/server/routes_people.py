"""Logging in and out, and one-time links to set a password."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from kenshin.server import access, people, rates, web
from kenshin.server.problems import Problem
from kenshin.server.service import Served, Service

router = APIRouter(include_in_schema=False)

# Wrong passwords, in a quarter of an hour: for one name, and from one address.
WINDOW = 900
WRONG_NAME = 10
WRONG_ADDRESS = 50


@router.get("/login")
async def login_page(request: Request, service: Served, to: str = "/") -> Response:
    """The form."""
    person = await run_in_threadpool(access.visitor, request, service)
    if person is not None and person.id:
        return web.go(web.local(to))
    return web.render(request, "login.html", None, {"to": web.local(to), "wrong": "", "name": ""})


@router.post("/login")
async def login(request: Request, service: Served) -> Response:
    """Right name and password: a session. Wrong ones are counted."""
    fields = await web.form(request, None)
    name, password = fields.get("name", ""), fields.get("password", "")
    to = web.local(fields.get("to", "/"))
    answer = web.go(to)
    why = await run_in_threadpool(_login, request, service, answer, name, password)
    if not why:
        return answer
    values = {"to": to, "wrong": why, "name": name}
    return web.render(request, "login.html", None, values, 429 if why == "locked" else 401)


def _login(request: Request, service: Service, answer: Response, name: str, password: str) -> str:
    """Why not, as a word; "" when it worked."""
    now = service.now()
    counted = [
        (f"login-from:{access.address(request)}", WRONG_ADDRESS),
        (f"login:{name.strip()[:60].lower()}", WRONG_NAME),
    ]
    # Counted before the password is looked at: many at once gain nothing. An address that is
    # locked out fills the table with no more names.
    with service.store.writing() as connection:
        if any(rates.take(connection, key, most, now, WINDOW).exceeded for key, most in counted):
            return "locked"
    if len(password) > people.LONGEST:
        return "wrong"
    with service.store.reading() as connection:
        user_id = people.verify(connection, name, password)
    if user_id is None:
        return "wrong"
    with service.store.writing() as connection:
        for key, most in counted:
            rates.take(connection, key, most, now, WINDOW, -1)
    web.login_person(request, service, answer, user_id)
    return ""


@router.post("/logout")
async def logout(request: Request, service: Served) -> Response:
    """End the session, here and in the database."""
    person = await web.visitor(request, service)
    await web.form(request, person)
    answer = web.go("/login")
    cookie = request.cookies.get(access.COOKIE)

    def end() -> None:
        if cookie is not None:
            with service.store.writing() as connection:
                people.end(connection, cookie)

    await run_in_threadpool(end)
    answer.delete_cookie(access.COOKIE, path="/")
    return answer


@router.get("/welcome/{secret}")
async def welcome_page(request: Request, service: Served, secret: str) -> Response:
    """The form behind a one-time link."""
    found = await run_in_threadpool(_invited, service, secret)
    if found is None:
        return web.render(request, "welcome.html", None, {"found": None, "wrong": "", "name": ""})
    values = {"found": found, "wrong": "", "name": found.name or ""}
    return web.render(request, "welcome.html", None, values)


def _invited(service: Service, secret: str) -> people.Invited | None:
    if not secret.isascii() or not secret.isprintable() or len(secret) > 64:
        return None
    with service.store.reading() as connection:
        return people.invited(connection, secret, service.now())


@router.post("/welcome/{secret}")
async def welcome(request: Request, service: Served, secret: str) -> Response:
    """Set the password; the link ends, and the session begins."""
    fields = await web.form(request, None)
    found = await run_in_threadpool(_invited, service, secret)
    name, password = fields.get("name", ""), fields.get("password", "")
    values = {"found": found, "name": name}
    if found is None:
        return web.render(request, "welcome.html", None, {**values, "wrong": ""}, 410)
    if password != fields.get("again", ""):
        return web.render(request, "welcome.html", None, {**values, "wrong": "differ"}, 422)
    answer = web.go("/")

    def accept() -> str:
        try:
            with service.store.writing() as connection:
                user_id = people.accept(connection, secret, name, password, service.now())
        except people.PeopleError as error:
            return str(error)
        web.login_person(request, service, answer, user_id)
        return ""

    why = await run_in_threadpool(accept)
    if why:
        return web.render(request, "welcome.html", None, {**values, "wrong": why}, 422)
    return answer


@router.post("/language")
async def language(request: Request, service: Served) -> Response:
    """What the person reads from now on."""
    person = await web.visitor(request, service)
    fields = await web.form(request, person)
    chosen = fields.get("language", "")
    if chosen not in web.LANGUAGES:
        raise Problem("invalid", "the language is one of " + ", ".join(web.LANGUAGES))

    def keep() -> None:
        with service.store.writing() as connection:
            people.set_language(connection, person.id, chosen)

    if person.id:
        await run_in_threadpool(keep)
    return web.go(web.local(fields.get("to", "/")))
