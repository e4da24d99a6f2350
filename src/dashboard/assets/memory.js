// What this browser remembers: theme, sound, the operator's name, saved views. A browser that keeps
// nothing works as well, for as long as the page is open.

const PREFIX = 'avwatch.';
const fallback = new Map();

/** A remembered value, or `otherwise`. */
export function recall(key, otherwise) {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? (fallback.get(key) ?? otherwise) : JSON.parse(text);
  } catch {
    return fallback.get(key) ?? otherwise;
  }
}

/** Remembers a value. */
export function remember(key, value) {
  fallback.set(key, value);
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Full or forbidden: the value lives as long as the page.
  }
}
