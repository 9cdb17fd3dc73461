// The address of each view: what is looked at stands behind the #, so that any view can be bookmarked and sent.

const VIEWS = new Set(["home", "machines", "machine", "execution", "map-run"]);

/** {view, arn, query} of a location's hash; anything unknown is home. */
export function read(hash) {
  const [path, search] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view, arn] = path.split("/", 2);
  const query = Object.fromEntries(new URLSearchParams(search ?? ""));
  if (!VIEWS.has(view) || (!["home", "machines"].includes(view) && !arn)) return { view: "home", arn: "", query: {} };
  return { view, arn: decoded(arn ?? ""), query };
}

/** The hash of a view. Members of the query that are empty are left out. */
export function write(view, arn = "", query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${view}${arn ? `/${encodeURIComponent(arn)}` : ""}${search ? `?${search}` : ""}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
