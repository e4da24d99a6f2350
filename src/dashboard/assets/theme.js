// Dark or light: by the system, unless the switch says otherwise. Plots and bars are drawn by hand and
// ask here for colours.

import { recall, remember } from './memory.js';

const CHOICES = ['auto', 'dark', 'light'];
const light = matchMedia('(prefers-color-scheme: light)');
const listeners = new Set();
let cache = new Map();

function apply() {
  const choice = recall('theme', 'auto');
  document.documentElement.dataset.theme = choice === 'auto' ? (light.matches ? 'light' : 'dark') : choice;
  cache = new Map();
  for (const listener of listeners) listener();
}

/** Sets the theme and follows the system. */
export function begin() {
  light.addEventListener('change', apply);
  apply();
}

/** `auto`, `dark` or `light`. */
export function choice() {
  return recall('theme', 'auto');
}

/** The next choice in turn. */
export function next() {
  remember('theme', CHOICES[(CHOICES.indexOf(choice()) + 1) % CHOICES.length]);
  apply();
  return choice();
}

/** Calls `listener` when colours have changed. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The value of a colour of the style sheet. */
export function colour(name) {
  if (!cache.has(name)) {
    cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || '#888');
  }
  return cache.get(name);
}
