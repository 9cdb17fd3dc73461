"""`maprun topics`: what maprun needs on a Kafka, what differs there, and the making of it."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import click
import msgspec

from maprun.bus import making, planning
from maprun.bus.least_rights import APPLY, BEGIN_ANEW, USER, Right, least_rights, right_commands, topic_commands
from maprun.bus.planning import Plan, PlannedTopic
from maprun.bus.port import BusError
from maprun.cli import output
from maprun.cli.errors import EXIT_NOT_SUCCEEDED, EXIT_SETTINGS, EXIT_UNREACHABLE, CliError
from maprun.cli.options import Context, json_option
from maprun.runtime.limits import limits_of
from maprun.runtime.process import SetupError
from schemas.topics import ALL_SERVICES

T = TypeVar("T")
_WHO = (*ALL_SERVICES, APPLY, BEGIN_ANEW, USER)


@click.group()
def topics() -> None:
    """The topics that maprun needs on Kafka, and the rights on them.

    Where Kafka is and who is asking stands in the environment: MAPRUN_KAFKA and the variables in docs/kafka.md.
    Exit codes beside the usual ones: 3 Kafka is not there, 78 a person must decide or give a right.
    """


def _principals(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Who is whom on Kafka: `User:x` is all services and the one who applies, `scheduler=User:x` is one of them."""
    principals = dict.fromkeys((*ALL_SERVICES, APPLY), "User:maprun")
    for text in given:
        who, equals, principal = text.rpartition("=")
        if equals and who not in _WHO:
            raise click.BadParameter(f"{who!r} is none of {', '.join(_WHO)}")
        principals |= {who: principal} if equals else dict.fromkeys(principals, principal)
    return principals


@topics.command()
@click.option(
    "--brokers",
    type=click.IntRange(min=1),
    default=None,
    help="Plan for an empty Kafka of so many brokers, and ask none.",
)
@click.option("--commands", is_flag=True, help="Answer with commands of Kafka's own tools, for an operator to run.")
@click.option(
    "--principal",
    "principals",
    multiple=True,
    metavar="[WHO=]PRINCIPAL",
    callback=_principals,
    help="Who gets the rights in --commands: User:maprun, or scheduler=User:a and so on for each.",
)
@json_option
@click.pass_obj
def plan(own: Context, *, brokers: int | None, commands: bool, principals: dict[str, str], as_json: bool) -> None:
    """Show which topics, settings and rights are needed, and what differs on Kafka. Nothing is changed."""
    settings, limits = own.settings, limits_of(own.settings)
    made = planning.plan_unasked(settings, limits, brokers) if brokers else _ask(planning.plan_topics(settings, limits))
    rights = least_rights(settings)
    if as_json:
        output.print_json({**_described(made), "rights": rights})
    elif commands:
        lines = [*topic_commands(made, settings.kafka), *right_commands(rights, principals, settings.kafka)]
        print("\n".join(lines))
    else:
        _print_topics(made)
        _print_rights(rights)
        _print_words(made)


@topics.command()
@click.option("--adopt", is_flag=True, help="Take topics of our names that hold no record, such as an operator made.")
@click.option("--begin-anew", is_flag=True, help="Delete all topics that are maprun's, with all executions, first.")
@json_option
@click.pass_obj
def apply(own: Context, *, adopt: bool, begin_anew: bool, as_json: bool) -> None:
    """Make the topics that lack, and mend the settings on which correctness hangs.

    It may run again at any time, also by several at once or after a crash. Topics without maprun's mark are left alone.
    """
    settings = own.settings
    made = _ask(making.make_topics(settings, limits_of(settings), adopt=adopt, begin_anew=begin_anew))
    if as_json:
        output.print_json(made)
        return
    for warning in made.warnings:
        output.err().print(f"warning: {warning}", markup=False)
    for done, names in (("deleted", made.deleted), ("mended", made.mended)):
        if names:
            output.out().print(f"topics {done}: {', '.join(names)}")
    output.out().print(f"topics made: {', '.join(made.topics) or 'none, all exist'}")


@topics.command()
@json_option
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Compare Kafka with the plan. Exit code 0: services can start; 1: something is to be applied or decided."""
    own: Context = context.obj
    made = _ask(planning.plan_topics(own.settings, limits_of(own.settings)))
    if as_json:
        output.print_json(_described(made))
    else:
        _print_differences(made)
        _print_words(made)
    if not made.settled:
        context.exit(EXIT_NOT_SUCCEEDED)


def _ask(asking: Coroutine[Any, Any, T]) -> T:
    """The answer of Kafka, or how it can't be had."""
    try:
        return asyncio.run(asking)
    except SetupError as error:
        raise CliError(str(error), exit_code=EXIT_SETTINGS) from error
    except BusError as error:
        cure = "is it up? MAPRUN_KAFKA names its brokers"
        raise CliError(str(error), cure, EXIT_UNREACHABLE) from error


def _described(made: Plan) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(made)
    return {**described, "settled": made.settled}


def _print_topics(made: Plan) -> None:
    shared = set.intersection(*(set(topic.config.items()) for topic in made.topics))
    rows = [
        (
            topic.name,
            topic.partitions,
            "default" if topic.copies < 0 else topic.copies,
            _state(topic),
            _shown(pair for pair in topic.config.items() if pair not in shared),
        )
        for topic in made.topics
    ]
    output.print_rows(("TOPIC", "PARTITIONS", "COPIES", "STATE", "SETTINGS"), rows)
    print(f"all topics: {_shown(sorted(shared))}")


def _shown(config: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in config)


def _print_differences(made: Plan) -> None:
    rows: list[tuple[str, ...]] = [
        (topic.name, each.setting, each.stands, each.asked, each.action)
        for topic in made.topics
        for each in topic.differences
    ]
    rows += [(topic.name, "", "not there", "there", "made") for topic in made.topics if not topic.there]
    if rows:
        output.print_rows(("TOPIC", "SETTING", "IS", "ASKED", "APPLY"), rows)


def _state(topic: PlannedTopic) -> str:
    if not topic.there:
        return "to make"
    actions = {each.action for each in topic.differences}
    return next((word for word in ("refused", "mended") if word in actions), "there")


def _print_rights(rights: list[Right]) -> None:
    rows = [
        (
            right.who,
            ", ".join(right.operations),
            f"{right.kind}s that begin with {right.names[0]}" if right.prefixed else f"{right.kind}s",
            ("" if right.prefixed else ", ".join(right.names)) + (f" ({right.note})" if right.note else ""),
        )
        for right in rights
    ]
    print()
    output.print_rows(("WHO", "MAY", "ON", "NAMES"), rows)


def _print_words(made: Plan) -> None:
    console = output.err()
    for warning in made.warnings:
        console.print(f"warning: {warning}", markup=False)
    for change in made.changes:
        console.print(f"apply: {change}", markup=False)
    if made.stops:
        console.print(made.stops, markup=False)
    missing = sum(not topic.there for topic in made.topics)
    mended = sum(_state(topic) == "mended" for topic in made.topics)
    if made.settled:
        console.print(f"all {len(made.topics)} topics stand as they should on {made.brokers} brokers")
    elif not made.stops:
        console.print(f"to make: {missing}, to mend: {mended}; `maprun topics apply` does it")
