// The language of both pages, `/` and `/photos`: chosen once, and remembered by the browser for both.

const LANGUAGES = {
  en: { tag: 'en', name: 'English' },
  zh: { tag: 'zh-CN', name: '中文' },
  es: { tag: 'es', name: 'Español' },
};
const KEPT = 'viewfinder.language';

function preferred() {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages];
  const known = wanted.map((tag) => (tag ?? '').toLowerCase().split('-')[0]).find((tag) => Object.hasOwn(LANGUAGES, tag));
  return known ?? 'en';
}

let language = preferred();

/** The language in use, as in tables of words: `en`, `zh` or `es`. */
export const currentLanguage = () => language;

/** The language in use, as browsers name it. */
export const languageTag = () => LANGUAGES[language].tag;

/** A number as the language writes it. */
export const number = (value, digits = 0) =>
  value.toLocaleString(languageTag(), { minimumFractionDigits: digits, maximumFractionDigits: digits });

/**
 * What says a table's words: `say(key, values)` fills in `{names}`. Where a word has forms (`one`, `other`), the number `n`
 * decides; what is not in the table is nothing.
 */
export function speaker(words) {
  return (key, values = {}) => {
    const entry = words[language][key];
    const text = entry?.other === undefined ? entry : entry[new Intl.PluralRules(languageTag()).select(values.n)] ?? entry.other;
    if (typeof text !== 'string') return text;
    return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? number(values[name]) : values[name] ?? ''));
  };
}

/** Puts words into everything that is marked `data-i18n`, `data-i18n-label` or `data-i18n-title`. */
export function translateWith(say) {
  document.documentElement.lang = languageTag();
  for (const node of document.querySelectorAll('[data-i18n]')) node.textContent = say(node.dataset.i18n);
  for (const node of document.querySelectorAll('[data-i18n-title]')) node.title = say(node.dataset.i18nTitle);
  for (const node of document.querySelectorAll('[data-i18n-label]')) {
    node.setAttribute('aria-label', say(node.dataset.i18nLabel));
    if (node.matches('button, a')) node.title = say(node.dataset.i18nLabel);
  }
}

/** Offers the languages in a list; `chosen()` is called after another was chosen, in another tab too. */
export function offerLanguages(list, chosen) {
  list.replaceChildren(...Object.entries(LANGUAGES).map(([code, { name, tag }]) => {
    const option = new Option(name, code);
    option.lang = tag;
    return option;
  }));
  list.value = language;
  list.addEventListener('change', () => {
    language = list.value;
    localStorage.setItem(KEPT, language);
    chosen();
  });
  addEventListener('storage', (event) => {
    if (event.key !== KEPT || preferred() === language) return;
    language = preferred();
    list.value = language;
    chosen();
  });
}
