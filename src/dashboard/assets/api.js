// Requests to the HTTP API: one function a verb, errors as one class. Where a token is needed the browser
// has asked for it, or found it in the address, before it showed this page, and sends it with every request.

import { setServerTime } from './format.js';

/** Longest that an answer may take, in milliseconds. */
const WITHIN = 15_000;

/** An answer that is an error, or none at all (status 0). */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not every error has a body.
  }
  const errors = (body.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return new Problem(
    response.status,
    body.title ?? `HTTP ${response.status}`,
    [body.detail, ...errors].filter(Boolean).join('\n'),
  );
}

/** Asks and gives the response; for what is no JSON. */
export async function ask(path, options = {}) {
  let response;
  try {
    // The origin and not the page's address: that may hold a name and a token, with which nothing is fetched.
    response = await fetch(location.origin + path, {
      signal: AbortSignal.timeout(WITHIN),
      cache: 'no-store',
      ...options,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(
      0,
      error.name === 'TimeoutError' ? 'avwatch did not answer in time' : 'avwatch cannot be reached',
    );
  }
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isFinite(date)) setServerTime(date);
  if (!response.ok) throw await problem(response);
  return response;
}

/** Reads a JSON document. Parameters that are empty are left out. */
export async function get(path, parameters = {}, options = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') query.set(key, value);
  }
  const text = query.toString();
  const response = await ask(text ? `${path}?${text}` : path, options);
  return response.json();
}

/** Reads what is to be changed: the JSON document, and the tag that says which one it was, if it has any. */
export async function getTagged(path) {
  const response = await ask(path);
  // A proxy that compresses weakens the tag, which then matches nothing. It names the settings and not
  // the bytes, so what it says is still true.
  const tag = response.headers.get('etag')?.replace(/^W\//, '');
  return { answer: await response.json(), tag };
}

/**
 * Sends JSON, or nothing; gives the JSON of the answer if there is any. With a tag of `getTagged` only
 * what is still the same is changed, else the answer is 412.
 */
export async function send(method, path, body, tag) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['content-type'] = 'application/json';
  }
  if (tag) options.headers['if-match'] = tag;
  const response = await ask(path, options);
  if (response.status === 204) return null;
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** A part of a path. */
export function part(name) {
  return encodeURIComponent(name);
}
