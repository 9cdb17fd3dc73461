// AWS Signature Version 4, made by the page itself: browsers offer their own cryptography to secure addresses alone, and a
// console inside a network is often reached without TLS. Keys stay in the tab. Pure but for where keys are kept.

const KEPT = "keys";
const SERVICE = "states";
const ALGORITHM = "AWS4-HMAC-SHA256";
const BLOCK = 64;
const utf8 = new TextEncoder();

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4).
const ROUNDS = firstPrimes(64).map((prime) => fraction(Math.cbrt(prime)));
const START = firstPrimes(8).map((prime) => fraction(Math.sqrt(prime)));

function firstPrimes(count) {
  const found = [];
  for (let number = 2; found.length < count; number += 1) {
    if (found.every((prime) => number % prime)) found.push(number);
  }
  return found;
}

function fraction(value) {
  return Math.floor((value - Math.floor(value)) * 2 ** 32);
}

/** SHA-256 of bytes, as bytes. */
export function sha256(bytes) {
  const length = ((bytes.length + 8) >> 6) * BLOCK + BLOCK;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(length - 4, (bytes.length << 3) >>> 0);
  const state = Uint32Array.from(START);
  const words = new Uint32Array(64);
  const turn = (word, by) => (word >>> by) | (word << (32 - by));
  for (let at = 0; at < length; at += BLOCK) {
    for (let i = 0; i < 16; i += 1) words[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i += 1) {
      const [a, b] = [words[i - 15], words[i - 2]];
      words[i] = words[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + words[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setUint32(4 * i, word));
  return new Uint8Array(out.buffer);
}

function hmac(key, text) {
  const block = new Uint8Array(BLOCK);
  block.set(key.length > BLOCK ? sha256(key) : key);
  const inner = sha256(joined(block.map((byte) => byte ^ 0x36), utf8.encode(text)));
  return sha256(joined(block.map((byte) => byte ^ 0x5c), inner));
}

function joined(first, second) {
  const out = new Uint8Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}

function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A query as signatures have it: sorted, and everything escaped but letters, digits and -._~ */
export function queryOf(members) {
  const escaped = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  return Object.entries(members).filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => [escaped(name), escaped(value)]).sort(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.join("=")).join("&");
}

/** The headers that sign a request, by keys {id, secret, token, region}; `path` has its query; `now` is in ms. */
export function signature(keys, host, method, path, headers, body, now) {
  const date = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  const [place, query = ""] = path.split("?", 2);
  const all = { ...headers, "X-Amz-Date": date, ...(keys.token ? { "X-Amz-Security-Token": keys.token } : {}) };
  const lines = Object.entries({ host, ...all }).map(([name, value]) => [name.toLowerCase(), value.trim()]).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = lines.map(([name]) => name).join(";");
  const request = [method, place, query, ...lines.map((pair) => pair.join(":")), "", names, hex(sha256(utf8.encode(body ?? "")))].join("\n");
  const scope = [date.slice(0, 8), keys.region, SERVICE, "aws4_request"];
  const toSign = [ALGORITHM, date, scope.join("/"), hex(sha256(utf8.encode(request)))].join("\n");
  const key = scope.reduce((from, part) => hmac(from, part), utf8.encode(`AWS4${keys.secret}`));
  const authorization = `${ALGORITHM} Credential=${keys.id}/${scope.join("/")}, SignedHeaders=${names}, Signature=${hex(hmac(key, toSign))}`;
  return { ...all, Authorization: authorization };
}

/** The keys that this tab was given; null = none. */
export function keptKeys() {
  try {
    const keys = JSON.parse(sessionStorage.getItem(KEPT));
    return typeof keys?.id === "string" && typeof keys.secret === "string" ? keys : null;
  } catch {
    return null;
  }
}

/** Keeps keys in this tab; null forgets them. */
export function keepKeys(keys) {
  if (keys) sessionStorage.setItem(KEPT, JSON.stringify(keys));
  else sessionStorage.removeItem(KEPT);
}
