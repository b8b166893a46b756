// Which words a search asks for, and which lines of a picture have them.

// Cases, widths and accents make no difference, and readers lose spaces.
const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').normalize('NFKC').toLowerCase();
const plain = (text) => fold(text).replace(/\s+/g, '');

const LETTER = /[\p{L}\p{N}]/u;
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

// How many wrong, missing or additional letters the server forgives in a word.
const forgiven = (word) => {
  const [one, two] = CJK.test(word) ? [4, 8] : [5, 9];
  return Number(word.length >= one) + Number(word.length >= two);
};

// The fewest of them between a word and any part of a line from border to border. Another number is no mistake.
const mistakes = (word, line) => {
  const wanted = [...word].filter((letter) => LETTER.test(letter));
  const alone = (letter) => (/\d/.test(letter) ? Infinity : 1);
  const other = (one, two) => (one === two ? 0 : /\d\d/.test(one + two) ? Infinity : 1);
  let column = [0];
  for (const letter of wanted) column.push(column.at(-1) + alone(letter));
  let fewest = Infinity;
  let last = '';
  for (const letter of [...fold(line), '']) {
    if (!LETTER.test(last) || !LETTER.test(letter) || CJK.test(last) || CJK.test(letter)) {
      fewest = Math.min(fewest, column.at(-1));
      column[0] = 0;
    }
    last = letter;
    if (!LETTER.test(letter)) continue;
    const next = [column[0] + alone(letter)];
    wanted.forEach((own, at) => {
      const ways = [column[at] + other(own, letter), column[at + 1] + alone(letter), next[at] + alone(own)];
      next.push(Math.min(...ways));
    });
    column = next;
  }
  return fewest;
};

// The lines with a word. One that was asked for as text may have mistakes if no line has it without.
const found = ({ word, isText }, lines) => {
  if (!isText) return lines.filter((line) => mistakes(word, line.text) === 0);
  const exact = lines.filter((line) => plain(line.text).includes(word));
  return exact.length > 0 ? exact : lines.filter((line) => mistakes(word, line.text) <= forgiven(word));
};

// What is searched for on this page, or was for the photo that is opened.
const searched = () => {
  if (!/^\/search(\/|$)/.test(location.pathname)) return {};
  try {
    const query = JSON.parse(new URLSearchParams(location.search).get('query') ?? '{}');
    const { query: all, ocr } = query ?? {};
    return { all: typeof all === 'string' ? all : '', ocr: typeof ocr === 'string' ? ocr : '' };
  } catch {
    return {};
  }
};

// Is text asked for, but no words of it?
const asksForNothing = () => {
  const { all = '', ocr = '' } = searched();
  return /^\s*ocr[:：]\s*$/i.test(ocr || all);
};

// Words that stand in so many lines that they say nothing about a picture.
const COMMON = new Set(
  `a an and are as at be but by for from he her his in is it its me my no not of on or our she that the their they this
  to was we were with you your
  al como con de del el en es esta este ha la las le les lo los mas mi no o para pero por que se si sin sobre su sus te
  tu un una unas uno unos y ya yo`.split(/\s+/),
);

// The words of a piece of a plain search that say something about text: runs of Chinese, Japanese or Korean, and
// others.
const telling = (piece) =>
  (piece.match(new RegExp(`(?:${CJK.source})+|(?:(?!${CJK.source}).)+`, 'gu')) ?? [])
    .map(plain)
    .filter((word) => (word.match(new RegExp(LETTER, 'gu')) ?? []).length >= 2 && !COMMON.has(word));

// `-20` is a number.
const EXCLUDED = /^[-－−](?=[\p{L}"])/u;

// The words of the search that led to this photo: those of its text, and those of a plain search, which may be in it.
// They are read as the server does: `ocr:` and `clip:` hold for all words behind them.
const sought = () => {
  if (!location.pathname.startsWith('/search/photos/')) return [];
  const { all = '', ocr = '' } = searched();
  const terms = [];
  for (const [text, first] of [[all, 'any'], [ocr, 'ocr']]) {
    let scope = first;
    let skips = false;
    for (let piece of text.match(/(?:[^\s":：]+[:：])*-?"[^"]*"|\S+/g) ?? []) {
      for (let prefix; (prefix = /^(ocr|clip)[:：]/i.exec(fold(piece))); piece = piece.slice(prefix[0].length)) {
        scope = prefix[1];
      }
      const filter = /^(path|after|before|person)[:：](.*)/is.exec(fold(piece));
      const skipped = skips;
      skips = filter !== null && filter[2] === '';
      if (skipped || filter || EXCLUDED.test(piece) || scope === 'clip') continue;
      const isText = scope === 'ocr';
      const quoted = piece.startsWith('"');
      const words = isText || quoted ? [plain(piece.replaceAll('"', ''))] : telling(piece);
      terms.push(...words.filter((word) => LETTER.test(word)).map((word) => ({ word, isText })));
    }
  }
  return terms;
};
