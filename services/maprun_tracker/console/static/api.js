// The public API, as any SDK uses it: AWS JSON 1.0 over POST /, and under /maprun/ what AWS has no operation for.
import { keptKeys, queryOf, signature } from "./sign.js";

/** Refusals that a key, or another one, may turn into an answer. */
const UNSIGNED = new Set([
  "MissingAuthenticationTokenException", "IncompleteSignatureException", "UnrecognizedClientException",
  "InvalidSignatureException", "ExpiredTokenException",
]);

export class ApiError extends Error {
  constructor(code, message, status) {
    super(message || code);
    this.code = code;
    this.status = status;
  }
}

/** One operation. Members that are undefined are left out. Throws ApiError. */
export function call(operation, members = {}, signal = undefined) {
  return exchanged("/", {
    method: "POST",
    headers: { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": `AWSStepFunctions.${operation}` },
    body: JSON.stringify(members),
    signal,
  });
}

/** A question that AWS has no operation for: /maprun/NAME?arn=…; members that say nothing are left out. Throws ApiError. */
export function ask(name, arn, members = {}, signal = undefined) {
  return exchanged(`/maprun/${name}?${queryOf({ arn, ...members })}`, { signal });
}

/** An act that AWS has no operation for: POST /maprun/NAME. Throws ApiError. */
export function act(name, members) {
  return exchanged(`/maprun/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(members) });
}

async function exchanged(path, request) {
  const keys = keptKeys();
  const headers = keys
    ? signature(keys, location.host, request.method ?? "GET", path, request.headers ?? {}, request.body, Date.now())
    : request.headers;
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", redirect: "error", cache: "no-store", ...request, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Unreachable", "The API does not answer.", 0);
  }
  let body;
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Unreadable", `The API answered ${response.status} with something that is not JSON.`, response.status);
  }
  if (response.ok) return body;
  const code = String(body.__type ?? `HTTP ${response.status}`).split("#").pop();
  if (UNSIGNED.has(code)) dispatchEvent(new CustomEvent("sign-in", { detail: `${code}: ${body.message ?? ""}` }));
  throw new ApiError(code, String(body.message ?? body.Message ?? ""), response.status);
}
