"""Which source an ItemReader means, opened at a place."""

from collections.abc import Sequence

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import begin_stream
from maprun.aws.sources.concatenated import Begin, ConcatenatedSource, Open, load_place
from maprun.aws.sources.contract import Budget, Source, dump, load_checkpoint, load_pin
from maprun.aws.sources.listing import Listing, ListingSource
from maprun.aws.sources.manifest import athena_members, inventory_of, whole_text
from maprun.aws.sources.members import ListedMembers, Member, NamedMembers
from maprun.aws.sources.object_reads import ObjectName
from maprun.aws.sources.one_object import OBJECT_TYPES, Format, open_object, open_stream
from maprun.integrations.resources import READ_LISTING, READ_OBJECT, parse_resource
from schemas.plan import ItemReaderPlan

ATHENA_TYPES = ("CSV", "JSONL", "PARQUET")


def source_text(plan: ItemReaderPlan | None) -> str:
    """`$$.Map.Item.Source`, as AWS gives it; None stands for items from the state's input.

    Where a source is made of several objects, its chunks name the object they are of instead.
    """
    if plan is None:
        return "STATE_DATA"
    return f"s3://{plan.bucket}" if parse_resource(plan.resource) == READ_LISTING else f"s3://{plan.bucket}/{plan.key}"


def open_source(s3: S3, plan: ItemReaderPlan, checkpoint: bytes, pin: bytes) -> Source:
    """The source at `checkpoint` (b"" = its beginning), in the version of `pin` (b"" = not pinned yet).

    Raises SourceError for what can't be read: no bucket or key, no access, a wrong configuration.
    """
    if not plan.bucket:
        raise SourceError("The ItemReader names no Bucket")
    resource = parse_resource(plan.resource)
    if resource == READ_LISTING:
        flattened = plan.transformation == "LOAD_AND_FLATTEN"
        return _flattened(s3, plan, checkpoint) if flattened else _listing(s3, plan, checkpoint)
    if resource != READ_OBJECT:
        raise SourceError(f"The ItemReader resource {plan.resource} is not supported")
    if not plan.key:
        raise SourceError("The ItemReader names no Key")
    if plan.manifest_type == "ATHENA_DATA":
        _must_be_one_of(plan.input_type, ATHENA_TYPES, "ManifestType ATHENA_DATA")
        return _manifest(s3, plan, checkpoint, pin)
    if plan.manifest_type == "S3_INVENTORY" or plan.input_type == "MANIFEST":
        if plan.input_type not in {"", "MANIFEST"}:
            raise SourceError("InputType must not be given with ManifestType S3_INVENTORY")
        return _manifest(s3, plan, checkpoint, pin)
    _must_be_one_of(plan.input_type, (*OBJECT_TYPES, "MANIFEST"), plan.resource)
    if plan.input_type == "PARQUET" and plan.version_id:
        raise SourceError("VersionId is not supported with InputType PARQUET")
    place = load_checkpoint(checkpoint)
    budget = Budget(plan.max_items, place.items)
    return open_object(s3, _name(plan), _format(plan), place, load_pin(pin), budget)


def _must_be_one_of(input_type: str, allowed: tuple[str, ...], what: str) -> None:
    if input_type not in allowed:
        raise SourceError(f"{what} needs an InputType of {', '.join(allowed)}, not '{input_type}'")


def _name(plan: ItemReaderPlan) -> ObjectName:
    return ObjectName(plan.bucket, plan.key, plan.version_id, plan.expected_bucket_owner)


def _format(plan: ItemReaderPlan) -> Format:
    return Format(
        plan.input_type,
        plan.csv_header_location,
        plan.csv_headers,
        plan.csv_delimiter,
        plan.items_pointer,
    )


def _pages(s3: S3, plan: ItemReaderPlan, after_key: str) -> Listing:
    arguments = {"Bucket": plan.bucket}
    if plan.prefix:
        arguments["Prefix"] = plan.prefix
    if plan.expected_bucket_owner:
        arguments["ExpectedBucketOwner"] = plan.expected_bucket_owner
    return Listing(s3, arguments, after_key)


def _listing(s3: S3, plan: ItemReaderPlan, checkpoint: bytes) -> Source:
    place = load_checkpoint(checkpoint)
    return ListingSource(_pages(s3, plan, place.after_key), place, Budget(plan.max_items, place.items))


def _opener(s3: S3, form: Format, not_after: int) -> Open:
    """Opens members: at the place and in the version of a checkpoint, else at their beginning."""

    def open_member(member: Member, checkpoint: bytes, pin: bytes) -> Source:
        version = load_pin(pin) if pin else member.pin
        place = load_checkpoint(checkpoint)
        source = open_object(
            s3, member.name, form, place, version, Budget(0, place.items), member.not_after or not_after
        )
        found = load_pin(source.pin)
        if member.size_bytes is not None and found is not None and found.size_bytes != member.size_bytes:
            sizes = f"has {found.size_bytes} bytes, not {member.size_bytes} as its manifest or listing says"
            raise SourceError(f"The object {member.name.text} {sizes}: it changed since then")
        return source

    return open_member


def _beginner(s3: S3, form: Format) -> Begin | None:
    """Sends the first requests of members; None where those are botocore's, or not for the object's beginning."""
    if s3.light is None or form.kind in {"PARQUET", "ORC"}:
        return None

    def begin(members: Sequence[Member]) -> None:
        for member in members:
            begin_stream(s3, member.name, member.pin)

    return begin


def _flattened(s3: S3, plan: ItemReaderPlan, checkpoint: bytes) -> Source:
    """LOAD_AND_FLATTEN: the records of all objects listed, each read in the version that was listed."""
    _must_be_one_of(plan.input_type, OBJECT_TYPES, "Transformation LOAD_AND_FLATTEN")
    place = load_place(checkpoint)
    budget = Budget(plan.max_items, place.items)
    members = ListedMembers(_pages(s3, plan, place.member), plan.bucket, plan.expected_bucket_owner)
    form = _format(plan)
    return ConcatenatedSource(members, _opener(s3, form, 0), place, budget, b"", _beginner(s3, form))


def _manifest(s3: S3, plan: ItemReaderPlan, checkpoint: bytes, pin: bytes) -> Source:
    """The records of all objects that a manifest names.

    Its pin is the manifest's version, and the moment by S3's clock at which it was learned: an object that was written
    later is refused, so all who read with this pin read the same.
    """
    place = load_place(checkpoint)
    budget = Budget(plan.max_items, place.items)
    manifest = _name(plan)
    stream = open_stream(s3, manifest, load_pin(pin), 0)
    text = whole_text(stream, manifest.text)
    members: Sequence[tuple[ObjectName, int | None]]
    if plan.manifest_type == "ATHENA_DATA":
        members, form = athena_members(text, manifest), _format(plan)
    else:
        inventory = inventory_of(text, manifest)
        given = plan.csv_headers if plan.csv_header_location == "GIVEN" else inventory.headers
        members = inventory.files
        form = Format(inventory.file_format.upper(), "GIVEN", given, plan.csv_delimiter)
    opener = _opener(s3, form, stream.pin.at_seconds)
    named = NamedMembers(members, place.member)
    return ConcatenatedSource(named, opener, place, budget, dump(stream.pin), _beginner(s3, form))
