"""Home, machines, executions and histories in a browser; signing in, the keyboard, empty lists."""

from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.api import EXECUTION, HOSTILE, MACHINE, RUN, START, Api, RefusedError, address
from tests.browser.world import HEALTH, answers_of


def test_home_says_how_the_services_are(page: Page, api: Api) -> None:
    """What is in trouble is said in words, with each process; what runs leads to its page; acts stay in the browser."""
    answers_of(api)
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION}
    page.goto(address("machine", MACHINE))
    page.get_by_role("button", name="Start an execution").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").filter(has_text="Started")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("alert")).to_have_text(HEALTH["troubles"][0])
    services = page.get_by_role("region", name="Services")
    expect(services).to_contain_text("12 of items")
    expect(services).to_contain_text("silent: hung")
    expect(page.locator(".figure", has_text="Map Runs queued")).to_contain_text("7")
    expect(page.get_by_role("region", name="Errors of the last hour")).to_contain_text("unexpected_error")
    expect(page.locator(".events li")).to_contain_text("Start an execution orders")
    page.get_by_role("region", name="Executions that run").get_by_role("link", name="nightly").click()
    expect(page.get_by_role("heading", name="nightly")).to_be_visible()


def test_one_signs_in_where_the_api_asks_for_it(page: Page, api: Api) -> None:
    """The form comes by itself; from then on requests are signed, until one signs out. The secret stays in the tab."""
    answers_of(api)

    def signed_only(_: object) -> Any:
        if "AKID" not in api.authorizations[-1]:
            raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
        return {"stateMachines": []}

    api.answers["ListStateMachines"] = signed_only
    page.goto("/console/#/machines")
    form = page.get_by_role("dialog", name="Sign in")
    expect(form).to_contain_text("Missing Authentication Token")
    form.get_by_label("Access key id").fill("AKID")
    form.get_by_label("Secret access key").fill("very-secret-key")
    form.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("There is no state machine yet")).to_be_visible()
    assert "/us-east-1/states/aws4_request" in api.authorizations[-1]
    assert not any("very-secret-key" in given for given in api.authorizations)
    page.get_by_role("button", name="Sign out").click()
    expect(form).to_be_visible()


def test_one_goes_from_machines_to_a_map_run(page: Page, api: Api) -> None:
    """Each list leads to what stands in it, and Back leads back."""
    answers_of(api)
    page.goto("/console")
    page.get_by_role("link", name="State machines").click()
    page.get_by_role("link", name="orders").click()
    expect(page.get_by_role("heading", name="orders")).to_be_visible()
    page.get_by_role("link", name="nightly").click()
    page.get_by_role("link", name="Each 0a0b0c0d").click()
    expect(page.get_by_role("heading", name="Map Run Each 0a0b0c0d")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Definition").click()
    expect(page.get_by_label("Definition")).to_contain_text('"StartAt": "B"')


def test_a_history_is_a_table_that_can_be_narrowed_to_failures(page: Page, api: Api) -> None:
    """Each event says when it was and opens its details; a filter leaves those that went wrong."""
    answers_of(api)
    page.goto(address("execution", EXECUTION, "?tab=history"))
    events = page.locator(".events li")
    expect(events).to_have_count(3)
    expect(events.nth(2)).to_contain_text(HOSTILE)
    page.get_by_label("Only what went wrong").check()
    expect(events).to_have_count(1)
    expect(events.first).to_contain_text("TaskFailed")
    expect(events.first).to_contain_text("+1.250 s")


def test_an_execution_is_started_with_input_that_is_json(page: Page, api: Api) -> None:
    """What is not JSON is said while it is typed and never sent; what was typed stays."""
    answers_of(api)
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": START}
    page.goto(address("machine", MACHINE))
    page.get_by_role("button", name="Start an execution").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Input").fill('{"day": }')
    expect(form.get_by_role("status")).to_contain_text("Not JSON")
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("Not JSON")
    assert api.members_of("StartExecution") == []
    form.get_by_label("Input").fill('{"day": 1}')
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("link", name=EXECUTION)).to_be_visible()
    assert api.members_of("StartExecution") == [{"stateMachineArn": MACHINE, "input": '{"day": 1}'}]


def test_an_arn_leads_to_its_view(page: Page, api: Api) -> None:
    """The field above takes the ARN of a machine, an execution or a Map Run; it says when it is none."""
    answers_of(api)
    page.goto("/console/")
    field = page.get_by_role("banner").get_by_role("searchbox")
    field.fill("arn:aws:states:nonsense")
    field.press("Enter")
    expect(page.get_by_role("banner").get_by_role("alert")).to_contain_text("no ARN")
    field.fill(RUN)
    field.press("Enter")
    expect(page.get_by_role("heading", name="Map Run")).to_be_visible()


def test_machines_and_executions_are_looked_for_by_name(page: Page, api: Api) -> None:
    """A name in the field above leads to the machines called so; of many pages those are shown that hold one."""
    answers_of(api)
    machines = [{"stateMachineArn": f"{MACHINE}-{n}", "name": f"orders-{n}", "type": "STANDARD"} for n in range(30)]
    pages = {None: machines[:10], "1": machines[10:20], "2": machines[20:]}
    following = {None: {"nextToken": "1"}, "1": {"nextToken": "2"}, "2": {}}
    api.answers["ListStateMachines"] = lambda ask: {
        "stateMachines": [{**each, "creationDate": START} for each in pages[ask.get("nextToken")]],
        **following[ask.get("nextToken")],
    }
    page.goto("/console/")
    field = page.get_by_role("banner").get_by_role("searchbox")
    field.fill("ORDERS-2")
    field.press("Enter")
    rows = page.get_by_role("region", name="State machines").locator("tbody tr")
    expect(rows).to_have_count(11)
    expect(page.get_by_text("30 state machines looked at, all there are.")).to_be_visible()
    assert page.url.endswith("?text=ORDERS-2")
    page.goto(address("machine", MACHINE))
    form = page.get_by_role("search", name="Search executions")
    form.get_by_label("Name").fill("nobody")
    form.get_by_role("button").click()
    expect(page.get_by_text("No execution is called so.")).to_be_visible()
    form.get_by_role("link", name="Search for nothing").click()
    expect(page.get_by_role("link", name="nightly")).to_be_visible()


def test_a_machine_says_what_it_is_published_as_and_what_is_wrong_with_it(page: Page, api: Api) -> None:
    """Versions, aliases with where they lead, and the diagnostics of its definition."""
    answers_of(api)
    api.answers |= {
        "ListStateMachineVersions": lambda _: {
            "stateMachineVersions": [{"stateMachineVersionArn": f"{MACHINE}:7", "creationDate": START}]
        },
        "ListStateMachineAliases": lambda _: {
            "stateMachineAliases": [{"stateMachineAliasArn": f"{MACHINE}:live", "creationDate": START}]
        },
        "DescribeStateMachineAlias": lambda ask: {
            "stateMachineAliasArn": ask["stateMachineAliasArn"],
            "name": "live",
            "updateDate": START,
            "routingConfiguration": [{"stateMachineVersionArn": f"{MACHINE}:7", "weight": 100}],
        },
        "ValidateStateMachineDefinition": lambda _: {
            "result": "OK",
            "diagnostics": [{"severity": "WARNING", "code": "C", "message": HOSTILE, "location": "/States/A"}],
        },
    }
    page.goto(address("machine", MACHINE, "?tab=versions"))
    expect(page.get_by_role("region", name="Versions")).to_contain_text(f"{MACHINE}:7")
    expect(page.get_by_role("region", name="Aliases")).to_contain_text("100% to version 7")
    page.get_by_role("link", name="Definition").click()
    said = page.get_by_role("region", name="Diagnostics")
    expect(said).to_contain_text(HOSTILE)
    expect(said).to_contain_text("/States/A")
    assert api.members_of("ValidateStateMachineDefinition")[0]["severity"] == "WARNING"


def test_a_view_without_an_answer_says_why_and_tries_again(page: Page, api: Api) -> None:
    """A refusal stands on the page in the API's words; after it the same view comes without a reload."""
    answers_of(api)
    page.goto("/console/")

    def no(_: object) -> Any:
        raise RefusedError("ExecutionDoesNotExist", "Execution Does Not Exist")

    good, api.answers["DescribeExecution"] = api.answers["DescribeExecution"], no
    page.goto(address("execution", EXECUTION))
    expect(page.get_by_role("alert")).to_contain_text("ExecutionDoesNotExist")
    api.answers["DescribeExecution"] = good
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Map Runs", exact=True)).to_be_visible()


def test_empty_lists_say_so(page: Page, api: Api) -> None:
    """Without machines the console says what makes one."""
    api.answers = {"ListStateMachines": lambda _: {"stateMachines": []}}
    page.goto("/console/#/machines")
    expect(page.get_by_text("There is no state machine yet")).to_be_visible()


def test_every_act_is_reached_by_the_keyboard(page: Page, api: Api) -> None:
    """From the top of the page Tab leads to the acts, Enter opens one, Escape closes it where the reader was."""
    answers_of(api)
    page.goto(address("machine", MACHINE))
    act = page.get_by_role("button", name="Start an execution")
    expect(act).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if act.evaluate("element => element === document.activeElement"):
            break
    expect(act).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(act).to_be_focused()


def test_a_page_is_painted_before_its_scripts_have_come(page: Page, api: Api) -> None:
    """Its frame needs the page and its style alone; with the scripts it becomes the view that the address names."""
    held: list[Route] = []
    let_go: list[bool] = []

    def hold(route: Route) -> None:
        if let_go:
            route.continue_()
        else:
            held.append(route)

    page.route("**/*.js", hold)
    page.goto("/console/", wait_until="commit")
    expect(page.get_by_role("status")).to_have_text("The console is being loaded…")
    paints = "performance.getEntriesByName('first-contentful-paint').length"
    for _ in range(600):  # `wait_for_function` is script that the page's policy refuses
        if page.evaluate(paints):
            break
        page.wait_for_timeout(50)
    assert page.evaluate(paints) == 1
    assert held
    assert not api.asked
    let_go.append(True)
    for route in held:
        route.continue_()
    expect(page.get_by_role("navigation", name="Console")).to_be_visible()
    expect(page.get_by_text("The console is being loaded…")).to_have_count(0)
