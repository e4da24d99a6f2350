// Severities: their order, and the sign that stands for each. A sign is a shape and a letter beside a
// colour, so that nobody needs to tell red from green.

import { h } from './dom.js';

/** Low to high. */
export const SEVERITIES = ['info', 'warning', 'minor', 'major', 'critical'];

const LETTERS = { info: 'i', warning: 'w', minor: 'm', major: 'M', critical: 'C' };

/** 0 for none, 1 for info … 5 for critical. */
export function rank(severity) {
  return SEVERITIES.indexOf(severity) + 1;
}

/** The higher of two severities; either may be none. */
export function worse(one, other) {
  return rank(one) >= rank(other) ? one : other;
}

/** The sign: a shape with the letter that reports use. Read out as nothing: the word stands beside it. */
export function sign(severity) {
  const mark = h('span', { class: 'sign', 'aria-hidden': 'true' });
  setSign(mark, severity);
  return mark;
}

/** Changes a sign. */
export function setSign(mark, severity) {
  const known = severity && severity in LETTERS ? severity : '';
  if (mark.dataset.severity === known && mark.textContent !== '') return;
  mark.dataset.severity = known;
  mark.textContent = known ? LETTERS[known] : '✓';
}
