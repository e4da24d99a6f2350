// What whoever looks may do. The service says it when the feed begins, by the role of the token; what needs more is
// not shown: elements say by `data-needs` what they need, and the style sheet leaves them out. The role is
// remembered, so that nothing is shown first and taken away then.

import { recall, remember } from './memory.js';
import { say } from './toast.js';

/** Roles, each of which may do what those before it may. */
const ROLES = ['viewer', 'operator', 'admin'];

let role = null;

/** Takes the role that the browser remembers, until the service says it. */
export function begin() {
  setRole(recall('role', null));
}

/** Takes the role that the service says; an unknown one is left to the service, which refuses what it must. */
export function setRole(name) {
  role = ROLES.includes(name) ? name : null;
  if (role) document.documentElement.dataset.role = role;
  else delete document.documentElement.dataset.role;
  remember('role', role);
}

/** Whether what needs a role may be done; where not, says why. */
export function may(needed) {
  if (role === null || ROLES.indexOf(role) >= ROLES.indexOf(needed)) return true;
  say(`This needs a token of role ${needed} or above; yours has the role ${role}`);
  return false;
}
