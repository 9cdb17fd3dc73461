// Numbers, times and names as the reader writes them. Pure: the locale and the present time can be given.

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const SHORT = { day: "d", hour: "h", minute: "min", second: "s" };

export function number(value, locale) {
  return new Intl.NumberFormat(locale).format(value);
}

/** Three significant digits below 100, none after the point above. */
export function rate(value, locale) {
  const digits = value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale, digits).format(value);
}

export function percent(share, locale) {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: share < 0.1 ? 2 : 1 }).format(share);
}

/** So many children. */
export function childrenOf(count, locale) {
  return `${number(count, locale)} ${count === 1 ? "child" : "children"}`;
}

/** Bytes by the largest unit of 1,024. */
export function size(bytes, locale) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: unit ? 1 : 0 }).format(value)} ${units[unit]}`;
}

/** A point in time from AWS's seconds since 1970. */
export function moment(seconds, locale) {
  if (seconds === undefined || seconds === null) return "–";
  return new Date(seconds * 1000).toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
}

/** A length of time by its two largest units; below a minute with tenths. */
export function duration(seconds, locale) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 1) return `${number(Math.round(seconds * 1000), locale)} ms`;
  if (seconds < 60) return `${new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(seconds)} s`;
  let left = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || parts.length) parts.push(`${number(count, locale)} ${SHORT[unit]}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** How long ago something was, in whole seconds and larger. */
export function ago(seconds, locale) {
  return seconds < 1 ? "just now" : `${duration(Math.floor(seconds), locale)} ago`;
}

/** The last part of an ARN: a name as its owner gave it. */
export function nameOf(arn) {
  return arn.split(":").slice(6).pop() || arn;
}

/** JSON indented where it is JSON, else the text as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** A word as a shell takes it, whatever it holds. */
export function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Addresses of the manifests that an execution's output names, wherever ResultPath put them. */
export function manifestsIn(output) {
  const found = [];
  const look = (value) => {
    if (value === null || typeof value !== "object") return;
    const details = value.ResultWriterDetails;
    if (details && typeof details.Bucket === "string" && typeof details.Key === "string") found.push(details);
    Object.values(value).forEach(look);
  };
  try {
    look(JSON.parse(output ?? ""));
  } catch {
    return [];
  }
  return found.map(({ Bucket, Key }) => `s3://${Bucket}/${Key}`);
}
