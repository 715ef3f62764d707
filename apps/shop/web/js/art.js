// art.js - the picture of an item. What the shop opened with has been drawn; what is added later gets a figure that
// follows from its id, so that the same item always looks the same.

const drawn = new Set([
  'apron',
  'basket',
  'bell',
  'blanket',
  'board',
  'bowl',
  'broom',
  'candles',
  'carafe',
  'clock',
  'cups',
  'doormat',
  'hooks',
  'jug',
  'kettle',
  'lamp',
  'mirror',
  'notebook',
  'pencils',
  'planter',
  'stool',
  'teapot',
  'umbrella',
  'vase',
]);
const tones = ['clay', 'sage', 'sky', 'butter', 'rose', 'stone'];
const toneOf = {
  apron: 'butter',
  basket: 'sage',
  bell: 'sky',
  blanket: 'clay',
  board: 'rose',
  bowl: 'stone',
  broom: 'sky',
  candles: 'rose',
  carafe: 'stone',
  clock: 'clay',
  cups: 'sage',
  doormat: 'butter',
  hooks: 'sky',
  jug: 'clay',
  kettle: 'rose',
  lamp: 'sage',
  mirror: 'butter',
  notebook: 'stone',
  pencils: 'sky',
  planter: 'rose',
  stool: 'stone',
  teapot: 'sage',
  umbrella: 'butter',
  vase: 'clay',
};
const inks = ['#b4533a', '#3f6c8f', '#5f8262', '#d6a544', '#4c565c', '#c99a63'];

function hash(text) {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619) >>> 0;
  return value;
}

function shape(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** A vessel of three turned parts. */
function figure(id) {
  const seed = hash(id);
  const pick = (shift, many) => (seed >>> shift) % many;
  const body = inks[pick(3, inks.length)];
  const trim = inks[(pick(3, inks.length) + 1 + pick(9, inks.length - 1)) % inks.length];
  const width = 34 + pick(5, 4) * 8;
  const neck = 12 + pick(11, 3) * 7;
  const top = 44 + pick(15, 3) * 12;
  const picture = shape('svg', { viewBox: '0 0 200 200', 'aria-hidden': 'true' });
  const [left, right] = [100 - width, 100 + width];
  const bulge = width * 1.4;
  const foot = 100 + width / 2;
  const down = `C ${100 + neck} ${top + 30} ${100 + bulge} ${top + 40} ${right} 140 Q ${right} 176 ${foot} 176`;
  const up = `Q ${left} 176 ${left} 140 C ${100 - bulge} ${top + 40} ${100 - neck} ${top + 30} ${100 - neck} ${top}`;
  picture.append(
    shape('ellipse', { cx: 100, cy: 178, rx: width + 14, ry: 7, fill: '#000', opacity: 0.14 }),
    shape('path', { fill: body, d: `M ${100 - neck} ${top} H ${100 + neck} ${down} H ${100 - width / 2} ${up} Z` }),
    shape('path', {
      fill: '#000',
      opacity: 0.12,
      d: `M 100 ${top} H ${100 + neck} ${down} H 108 Q 128 130 100 ${top} Z`,
    }),
    shape('ellipse', { cx: 100, cy: top, rx: neck, ry: neck / 3.4, fill: trim }),
    shape('path', {
      d: `M ${100 - width * 0.96} 134 Q 100 152 ${100 + width * 0.96} 134`,
      fill: 'none',
      stroke: trim,
      'stroke-width': 7,
      opacity: 0.9,
    }),
  );
  return picture;
}

/** A tile with the item's picture; decorative, because the name always stands beside it. */
export function tile(itemId, size = '') {
  const name = itemId.replace(/^sku_/, '');
  const box = document.createElement('div');
  box.className = `tile tone-${toneOf[name] || tones[hash(itemId) % tones.length]} ${size}`.trim();
  if (drawn.has(name)) {
    const picture = document.createElement('img');
    Object.assign(picture, { src: `art/${name}.svg`, alt: '', width: 200, height: 200, decoding: 'async' });
    box.append(picture);
  } else {
    box.append(figure(itemId));
  }
  return box;
}
