// How fast a Map Run goes: samples of what is done, the present rate, what is left. Pure: time is an argument.

export const WINDOW_SECONDS = 30;
export const SAMPLES_MAX = 900;

/** Items that need no more work, by DescribeMapRun's itemCounts. */
export function doneOf(counts) {
  return counts.succeeded + counts.failed + counts.timedOut + counts.aborted;
}

/** The samples with one more. */
export function sampled(samples, sample) {
  const last = samples[samples.length - 1];
  if (last && sample.at <= last.at) return samples;
  if (last && sample.done < last.done) return [sample]; // a redrive begins anew
  return bounded([...samples, sample]);
}

/** No more than SAMPLES_MAX: when there are too many, every second of the older half is left out. */
export function bounded(samples) {
  if (samples.length <= SAMPLES_MAX) return samples;
  const half = SAMPLES_MAX / 2;
  return samples.filter((_, place) => place >= half || place % 2 === 0);
}

/** The value below which that share of `values` is; they are sorted. */
export function quantile(values, share) {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))];
}

/** Items a second over the last WINDOW_SECONDS; null before there are two samples. */
export function rateOf(samples) {
  if (samples.length < 2) return null;
  const last = samples[samples.length - 1];
  const first = samples.find((sample) => last.at - sample.at <= WINDOW_SECONDS) ?? samples[samples.length - 2];
  const from = first === last ? samples[samples.length - 2] : first;
  return (last.done - from.done) / (last.at - from.at);
}

/** Seconds until everything is done at that rate; null when that can't be said. */
export function secondsLeft(expected, done, rate) {
  if (!expected || !rate || rate <= 0) return null;
  return Math.max(0, expected - done) / rate;
}

/** Points {at, rate} for a chart: the rate between neighbouring samples, in steps of equal time, at most `points` of them. */
export function throughput(samples, points = 120) {
  if (samples.length < 2) return [];
  const first = samples[0].at;
  const span = samples[samples.length - 1].at - first;
  const step = Math.max(span / points, 2);
  const out = [];
  let from = samples[0];
  for (const sample of samples.slice(1)) {
    if (sample.at - from.at < step && sample !== samples[samples.length - 1]) continue;
    out.push({ at: sample.at, rate: (sample.done - from.done) / (sample.at - from.at) });
    from = sample;
  }
  return [{ at: first, rate: out[0].rate }, ...out];
}

/** Pieces of the bar {key, count}, in its order, and what the whole is. */
export function pieces(counts, expected) {
  const keys = ["failed", "timedOut", "aborted", "succeeded", "running"];
  const parts = keys.map((key) => ({ key, count: counts[key] ?? 0 }));
  const whole = Math.max(expected ?? 0, counts.total, 1);
  const rest = whole - parts.reduce((sum, part) => sum + part.count, 0);
  return { parts: [...parts, { key: "pending", count: Math.max(0, rest) }], whole };
}

/** The most items that may fail before the run does, of `whole`: null = any failure ends it. */
export function tolerated(run, whole) {
  const limits = [];
  if (run.toleratedFailureCount > 0) limits.push(run.toleratedFailureCount);
  if (run.toleratedFailurePercentage > 0) limits.push((whole * run.toleratedFailurePercentage) / 100);
  return limits.length ? Math.min(...limits, whole) : null;
}
