// Samples of what a page watches; they outlive a visit to another view of the same tab.
import { useEffect, useRef, useState } from "./html.js";

/** All samples under `key`, with `sample` {at, …} put in by `add(samples, sample)` once its `at` changes; undefined adds none. */
export function useSamples(key, sample, add) {
  const kept = useRef(new Map());
  const [, drawn] = useState(0);
  useEffect(() => {
    if (!sample) return;
    const next = add(kept.current.get(key) ?? read(key), sample);
    kept.current.set(key, next);
    try {
      sessionStorage.setItem(`samples ${key}`, JSON.stringify(next));
    } catch {
      // a browser without room keeps them for this view alone
    }
    drawn(sample.at);
  }, [key, sample?.at]);
  return kept.current.get(key) ?? [];
}

function read(key) {
  try {
    const found = JSON.parse(sessionStorage.getItem(`samples ${key}`) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}
