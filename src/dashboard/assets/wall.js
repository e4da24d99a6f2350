// The wall: every stream that the filters let through, in a grid, with the penalty box beside it.

import { attribute, fill, h, text } from './dom.js';
import { every, soon } from './frame.js';
import { Grid } from './grid.js';
import { Tile } from './tile.js';
import { PenaltyBox } from './penalty.js';
import { address, isKiosk, state } from './address.js';
import { filterBar } from './filters.js';
import { matches } from './search.js';
import { onTheme } from './theme.js';
import { rank } from './severity.js';
import { addStream } from './stream_form.js';

/** Smallest width of a tile by size, in pixels. */
const SIZES = { s: 150, m: 220, l: 340 };

/** Height below the picture, of name and strip, and the padding for the border, in pixels. */
const BELOW = 24 + 8;
const PADDING = 4;

/** Width that the bars of a stereo track take beside the picture, in pixels. */
const BARS = 16;

/** Width of a tile below which the word of the severity has no room, in pixels. */
const NARROW = 190;

/** How long a kiosk shows a screenful before it goes on. */
const TURN = 15_000;

/** Strips move on by a column in this time. */
const STRIPS = 30_000;

export function wallPage(base) {
  const { model } = base;
  let picture = 120;
  let width = 220;
  const context = { ...base, barHeight: () => picture, stripSize: () => [width, 8], isNarrow: () => width < NARROW };
  const shape = (all) => {
    const least = Math.min(SIZES[state().size] ?? SIZES.m, Math.floor(all / 2) - 5);
    const columns = Math.max(1, Math.floor((all + 10) / (least + 10)));
    width = Math.floor((all - 10 * (columns - 1)) / columns) - 2 * PADDING;
    picture = Math.round(((width - BARS) * 9) / 16);
    return { columns, height: picture + BELOW + 2 * PADDING };
  };
  const grid = new Grid({
    label: 'Streams',
    shape,
    make: () => new Tile(context),
    onSeen: (tile, visible) => tile.seen(visible),
  });
  const empty = h('div', { class: 'nothing', hidden: true });
  const bar = filterBar(context);
  const box = new PenaltyBox(context);
  const node = h(
    'div',
    { class: 'wall' },
    h('h1', { class: 'unseen' }, 'Wall'),
    h('div', { class: 'left' }, bar.node, empty, grid.node),
    box.node,
  );

  const list = () => {
    const keys = order(model);
    grid.setKeys(keys);
    bar.update(keys.length);
    attribute(empty, 'hidden', keys.length > 0);
    if (keys.length === 0) sayEmpty(empty, model);
  };
  const dirty = new Set();
  const drawDirty = () => {
    for (const name of dirty) grid.cell(name)?.update();
    dirty.clear();
    bar.update(grid.keys.length);
    if (isByCondition()) list();
  };
  const drawMeters = () => grid.forShown((tile) => tile.drawBars());
  const tick = () => grid.forShown((tile) => tile.tick());
  const redraw = () => grid.forShown((tile) => tile.update());
  const askList = () => soon(list);
  const ends = [
    model.on('list', askList),
    model.on('stream', (name) => {
      dirty.add(name);
      soon(drawDirty);
    }),
    model.on('meters', () => soon(drawMeters)),
    model.on('past', () => soon(redraw)),
    model.on('feed', () => soon(tick)),
    every(1000, tick),
    every(STRIPS, redraw),
    onTheme(() => soon(redraw)),
    isKiosk() ? every(TURN, () => turn(grid.node)) : () => {},
  ];
  list();
  return {
    node,
    title: 'Wall',
    address: () => {
      list();
      soon(redraw);
    },
    find: () => bar.find(),
    end: () => {
      for (const end of ends) end();
      grid.end();
      box.end();
    },
  };
}

/** True when what is shown, or its order, depends on what is wrong. */
function isByCondition() {
  return state().sort === 'worst' || Boolean(state().is);
}

/** The streams that the filters let through, in order. */
function order(model) {
  const { q, label, is, sort } = state();
  const keys = [...model.streams.values()]
    .filter((stream) => matches(stream, q, label))
    .map((stream) => stream.name)
    .filter((name) => !is || model.condition(name) === is);
  const title = (name) => model.streams.get(name).title || name;
  const compare = (one, other) =>
    title(one).localeCompare(title(other), 'en', { numeric: true }) || (one < other ? -1 : 1);
  keys.sort(compare);
  if (sort === 'worst') {
    const weight = new Map(keys.map((name) => [name, rank(model.worst(name)?.severity)]));
    keys.sort((one, other) => weight.get(other) - weight.get(one));
  }
  return keys;
}

function sayEmpty(node, model) {
  if (!model.loaded) text(node, 'Loading …');
  else if (model.streams.size > 0)
    fill(
      node,
      h('p', {}, 'No stream fits the filters.'),
      h('a', { href: address({ q: '', label: '', is: '' }) }, 'Show all streams'),
    );
  else {
    const add = isKiosk()
      ? null
      : h('button', { type: 'button', class: 'first', 'data-needs': 'admin', click: () => addStream() }, 'Add a stream');
    fill(node, h('p', {}, 'No streams are watched yet.'), add);
  }
}

/** The next screenful; after the last one the first. */
function turn(scroller) {
  const left = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  scroller.scrollTop = left > 4 ? scroller.scrollTop + scroller.clientHeight - 60 : 0;
}
