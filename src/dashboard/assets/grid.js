// A grid of any number of cells that holds only those near the visible part. Cells are used again as
// the list scrolls or changes; a cell keeps its key as long as it is shown, so nothing flickers.

import { h } from './dom.js';
import { soon } from './frame.js';

/** Rows kept above and below the visible ones. */
const MARGIN = 1;

/** Space between cells, in pixels. */
const GAP = 10;

export class Grid {
  /** `make()` gives a cell: `{ node, show(key, index, total), hide() }`. `shape(width)` gives columns and height. */
  constructor({ label, shape, make, onSeen }) {
    this.shape = shape;
    this.make = make;
    this.keys = [];
    this.places = new Map();
    this.cells = new Map();
    this.spare = [];
    this.current = 0;
    this.list = h('ul', { class: 'grid', role: 'list', 'aria-label': label, keydown: (event) => this.key(event), focusin: (event) => this.focused(event) });
    this.node = h('div', { class: 'grid-scroll' }, this.list);
    this.draw = () => this.layout();
    this.node.addEventListener('scroll', () => soon(this.draw), { passive: true });
    this.resize = new ResizeObserver(() => soon(this.draw));
    this.resize.observe(this.node);
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) onSeen(entry.target.cell, entry.isIntersecting);
    }, { root: this.node });
  }

  /** Shows another list. */
  setKeys(keys) {
    this.keys = keys;
    this.places = new Map(keys.map((key, index) => [key, index]));
    this.current = Math.min(this.current, Math.max(0, keys.length - 1));
    soon(this.draw);
  }

  /** Calls `each(cell)` for every cell that is shown. */
  forShown(each) {
    for (const cell of this.cells.values()) each(cell);
  }

  /** The cell of a key, if it is shown. */
  cell(key) {
    return this.cells.get(key);
  }

  end() {
    this.resize.disconnect();
    this.seen.disconnect();
    for (const cell of [...this.cells.values(), ...this.spare]) cell.hide();
  }

  layout() {
    // The list's own width: the scroller's padding is not for cells.
    const width = this.list.clientWidth;
    if (width === 0) return;
    const { columns, height } = this.shape(width);
    const step = height + GAP;
    const cellWidth = Math.floor((width - GAP * (columns - 1)) / columns);
    const rows = Math.ceil(this.keys.length / columns);
    this.columns = columns;
    this.step = step;
    this.list.style.height = `${Math.max(0, rows * step - GAP)}px`;
    const top = this.node.scrollTop;
    const first = Math.max(0, Math.floor(top / step) - MARGIN) * columns;
    const last = Math.min(this.keys.length, (Math.ceil((top + this.node.clientHeight) / step) + MARGIN) * columns);
    this.release(first, last);
    for (let index = first; index < last; index += 1) {
      const key = this.keys[index];
      const cell = this.cells.get(key) ?? this.take(key);
      place(cell, index, { columns, step, cellWidth, height });
      cell.show(key, index, this.keys.length);
      cell.focusable(index === this.current);
    }
    this.order();
  }

  /** Gives back the cells that are no longer near; one with the focus stays. */
  release(first, last) {
    for (const [key, cell] of this.cells) {
      const index = this.places.get(key);
      const isNear = index !== undefined && index >= first && index < last;
      if (isNear || (index !== undefined && cell.node.contains(document.activeElement))) continue;
      this.cells.delete(key);
      this.seen.unobserve(cell.node);
      cell.hide();
      cell.node.remove();
      this.spare.push(cell);
    }
  }

  take(key) {
    const cell = this.spare.pop() ?? this.make();
    cell.node.cell = cell;
    this.cells.set(key, cell);
    this.seen.observe(cell.node);
    return cell;
  }

  /** Puts cells into the order in which they are read; moves as few as possible. */
  order() {
    const wanted = [...this.cells.values()].sort((one, other) => one.index - other.index);
    let next = this.list.firstChild;
    for (const cell of wanted) {
      if (cell.node === next) next = next.nextSibling;
      else this.list.insertBefore(cell.node, next);
    }
  }

  focused(event) {
    const cell = event.target.closest('li')?.cell;
    if (!cell || cell.index === this.current) return;
    this.forShown((other) => other.focusable(other === cell));
    this.current = cell.index;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.step)) * this.columns;
    const moves = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page,
      Home: -this.current, End: this.keys.length - 1 - this.current,
    };
    const move = moves[event.key];
    if (move === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Math.min(this.keys.length - 1, Math.max(0, this.current + move)));
  }

  /** Puts the focus on a cell and brings it into sight. */
  focus(index) {
    if (this.keys.length === 0) return;
    this.current = index;
    const top = Math.floor(index / this.columns) * this.step;
    const { scrollTop, clientHeight } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    else if (top + this.step > scrollTop + clientHeight) this.node.scrollTop = top + this.step - clientHeight + GAP;
    this.layout();
    this.forShown((cell) => cell.focusable(cell.index === index));
    this.cells.get(this.keys[index])?.focus();
  }
}

function place(cell, index, { columns, step, cellWidth, height }) {
  cell.index = index;
  const x = (index % columns) * (cellWidth + GAP);
  const y = Math.floor(index / columns) * step;
  const { style } = cell.node;
  const transform = `translate(${x}px, ${y}px)`;
  if (style.transform !== transform) style.transform = transform;
  if (style.width !== `${cellWidth}px`) style.width = `${cellWidth}px`;
  if (style.height !== `${height}px`) style.height = `${height}px`;
}
