// Requests to the HTTP API: one function a verb, errors as one class.

import { setServerTime } from './format.js';
import { token } from './access.js';

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

const listeners = new Set();

/** Calls `listener` when an answer says that a token is needed, or a better one. */
export function onRefused(listener) {
  listeners.add(listener);
}

/** Headers of every request: who asks, if that is known. */
export function headers() {
  const known = token();
  return known ? { authorization: `Bearer ${known}` } : {};
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not every error has a body.
  }
  if (response.status === 401) for (const listener of listeners) listener();
  const errors = (body.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return new Problem(response.status, body.title ?? `HTTP ${response.status}`, [body.detail, ...errors].filter(Boolean).join('\n'));
}

/** Asks and gives the response; for what is no JSON. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      signal: AbortSignal.timeout(WITHIN),
      cache: 'no-store',
      ...options,
      headers: { ...headers(), ...options.headers },
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, error.name === 'TimeoutError' ? 'avwatch did not answer in time' : 'avwatch cannot be reached');
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

/** Sends JSON, or nothing; gives the JSON of the answer if there is any. */
export async function send(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { 'content-type': 'application/json' };
  }
  const response = await ask(path, options);
  if (response.status === 204) return null;
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** A part of a path. */
export function part(name) {
  return encodeURIComponent(name);
}
