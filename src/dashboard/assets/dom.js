// Elements made and changed by hand. Everything from outside becomes text or an attribute's value:
// nothing here, and nothing else in this folder, ever parses a string as HTML.

/** Makes an element. `class`, `data-…`, `aria-…` and other attributes by name; functions become listeners. */
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

/** Writes a text only where it differs: unchanged text costs no layout. */
export function text(node, value) {
  const wanted = value === null || value === undefined ? '' : String(value);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets or removes an attribute only where it differs. */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const wanted = value === true ? '' : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

/** Replaces what is in an element. */
export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an SVG element. */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  add(node, children);
  return node;
}

/** A part of the page that scrolls sideways where it is too wide; the keyboard reaches it, too. */
export function sideways(label, ...children) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': label }, ...children);
}

/** A link to somewhere outside, if its address is one that a browser only follows; else plain text. */
export function outsideLink(address, label) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return document.createTextNode(label ?? address);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return document.createTextNode(label ?? address);
  return h('a', { href: url.href, rel: 'noopener noreferrer', target: '_blank' }, label ?? address);
}
