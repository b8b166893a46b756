// Adds to Immich's page: two entries in the menus of photos, and marks on text that was searched for.
// It knows Immich's page by a few anchors only. Where one is missing, nothing happens; whatever fails is told to the
// console, once, and to nobody else.
(() => {
  'use strict';

  // What can be done again; nothing until that is known.
  let again = [];
  const named = (document.currentScript?.dataset.again ?? '').split(' ');

  const VIEWER = '#immich-asset-viewer';
  const VIEWER_BAR = '[data-testid="asset-viewer-navbar-actions"]';
  const SELECTION_BAR = '#asset-selection-app-bar';
  const ID = /\/photos\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/i;
  const MARK = 'data-viewfinder';
  const SVG = 'http://www.w3.org/2000/svg';
  const ROUTE = '/api/assets/jobs';

  // Photos in one request, so that progress can be told and no proxy loses patience.
  const AT_ONCE = 8;

  const JOBS = {
    ocr: { name: 'refresh-ocr', icon: 'M3 5h18v2H3zM3 11h12v2H3zM3 17h8v2H3z' },
    clip: { name: 'refresh-smart-search', icon: 'M12 3 15 9l6 3-6 3-3 6-3-6-6-3 6-3z' },
  };
  const CROSS = 'M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z';

  const WORDS = {
    en: {
      ocr: ['Regenerate OCR data', 'OCR data regenerated', 'OCR data could not be regenerated'],
      clip: ['Regenerate CLIP vectors', 'CLIP vectors regenerated', 'CLIP vectors could not be regenerated'],
      progress: (count, all) => `${count} / ${all} done`,
      close: 'Close',
    },
    zh: {
      ocr: ['重新生成 OCR 数据', '已重新生成 OCR 数据', '未能重新生成 OCR 数据'],
      clip: ['重新生成 CLIP 向量', '已重新生成 CLIP 向量', '未能重新生成 CLIP 向量'],
      progress: (count, all) => `已完成 ${count} / ${all}`,
      close: '关闭',
    },
    'zh-hant': {
      ocr: ['重新產生 OCR 資料', '已重新產生 OCR 資料', '未能重新產生 OCR 資料'],
      clip: ['重新產生 CLIP 向量', '已重新產生 CLIP 向量', '未能重新產生 CLIP 向量'],
      progress: (count, all) => `已完成 ${count} / ${all}`,
      close: '關閉',
    },
    es: {
      ocr: ['Regenerar datos de OCR', 'Datos de OCR regenerados', 'No se pudieron regenerar los datos de OCR'],
      clip: ['Regenerar vectores CLIP', 'Vectores CLIP regenerados', 'No se pudieron regenerar los vectores CLIP'],
      progress: (count, all) => `Completadas: ${count} / ${all}`,
      close: 'Cerrar',
    },
  };

  let complained = false;
  const complain = (error) => {
    if (!complained) {
      complained = true;
      console.debug('viewfinder:', error);
    }
  };
  const safely = (work) => (...given) => {
    try {
      const result = work(...given);
      return result instanceof Promise ? result.catch(complain) : result;
    } catch (error) {
      complain(error);
      return undefined;
    }
  };

  // The page says its language, or keeps the choice of its settings.
  const words = () => {
    let chosen = '';
    try {
      chosen = localStorage.getItem('lang') ?? '';
    } catch {
      // Storage may be closed to pages.
    }
    const languages = [chosen.replaceAll('"', ''), document.documentElement.lang, navigator.language];
    const language = (languages.find(Boolean) ?? 'en').toLowerCase();
    const traditional = /^zh.*[-_](hant|tw|hk|mo)/.test(language);
    return WORDS[traditional ? 'zh-hant' : language.split(/[-_]/)[0]] ?? WORDS.en;
  };

  const make = (name, style, ...content) => {
    const element = document.createElement(name);
    Object.assign(element.style, style);
    element.append(...content);
    return element;
  };

  const drawing = (path) => {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('width', '18');
    svg.setAttribute('fill', 'currentColor');
    svg.append(document.createElementNS(SVG, 'path'));
    svg.firstChild.setAttribute('d', path);
    return svg;
  };

  // Where notes are, one below the other.
  const notes = () => {
    const present = document.querySelector(`[${MARK}="toasts"]`);
    if (present) return present;
    const panel = make('div', {
      position: 'fixed', top: '80px', right: '16px', zIndex: '60', width: '320px', maxWidth: 'calc(100vw - 32px)',
      display: 'flex', flexDirection: 'column', gap: '8px',
    });
    panel.setAttribute(MARK, 'toasts');
    return document.body.appendChild(panel);
  };

  // A note in the colours of Immich's own, which stays while a job runs. Who closes it is told of the end only.
  const toast = (kind) => {
    const centred = { display: 'flex', flexShrink: '0', alignItems: 'center', justifyContent: 'center' };
    const size = (length) => ({ ...centred, width: length, height: length });
    const icon = make('span', { ...size('32px'), borderRadius: '12px', color: '#fff' }, drawing(JOBS[kind].icon));
    const title = make('p', { fontWeight: '600' });
    const text = make('p', { fontSize: '14px', lineHeight: '20px' });
    const close = make('button', { ...size('40px'), cursor: 'pointer' }, drawing(CROSS));
    const box = make('div', {
      display: 'flex', alignItems: 'center', gap: '10px', padding: '12px', border: '1px solid', borderRadius: '12px',
      overflowWrap: 'anywhere', boxShadow: '0 1px 2px rgba(0, 0, 0, .05)',
    }, icon, make('div', { flexGrow: '1', minWidth: '0' }, title, text), close);
    box.setAttribute(MARK, 'toast');
    close.type = 'button';
    close.setAttribute('aria-label', words().close);
    close.addEventListener('click', () => box.remove());

    const say = (name, more, failed = false) => {
      const dark = document.documentElement.classList.contains('dark');
      const colour = (inLight, inDark, otherwise) =>
        `var(--immich-ui-${failed ? 'danger' : 'primary'}-${dark ? inDark : inLight}, ${otherwise})`;
      const strong = failed ? '#dc2626' : '#4250af';
      box.setAttribute('role', failed ? 'alert' : 'status');
      box.style.background = colour(50, 100, dark ? '#111' : '#fff');
      box.style.borderColor = colour(100, 200, strong);
      box.style.color = `var(--immich-ui-dark, ${dark ? '#ddd' : '#333'})`;
      icon.style.background = colour(500, 200, strong);
      title.style.color = colour(500, 500, dark ? '#ddd' : strong);
      title.textContent = name;
      text.textContent = more;
    };
    const end = (name, more, failed = false) => {
      say(name, more, failed);
      notes().append(box);
      setTimeout(() => box.remove(), failed ? 8000 : 4000);
    };
    notes().append(box);
    return { say, end };
  };

  // Not the one that is listened to below.
  const send = window.fetch.bind(window);

  const run = async (kind, ids) => {
    const [name, done, failed] = words()[kind];
    const note = toast(kind);
    let count = 0;
    const progress = () => (ids.length > 1 ? words().progress(count, ids.length) : '');
    try {
      while (count < ids.length) {
        note.say(`${name}…`, progress());
        const some = ids.slice(count, count + AT_ONCE);
        const response = await send(ROUTE, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ assetIds: some, name: JOBS[kind].name }),
        });
        if (!response.ok) {
          const said = await response.json().catch(() => ({}));
          throw new Error([said.message ?? response.status].flat().join(', '));
        }
        count += some.length;
      }
      note.end(done, progress());
      drawn = '';
    } catch (error) {
      note.end(failed, [progress(), error.message].filter(Boolean).join(': '), true);
    }
  };

  // Immich's menus close when something else is clicked.
  const closeMenus = () => {
    for (const type of ['mousedown', 'mouseup', 'click']) {
      document.body.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true }));
    }
  };

  // Immich's entries change their colour under the mouse and for the arrow keys.
  const COLOURS = ['bg-slate-100', 'bg-slate-300'];
  const light = (item, on) => item.classList.replace(COLOURS[Number(!on)], COLOURS[Number(on)]);

  // An entry like its neighbour, with another picture and other words.
  const entry = (neighbour, kind, ids) => {
    const item = neighbour.cloneNode(true);
    for (const element of [item, ...item.querySelectorAll('[id]')]) element.removeAttribute('id');
    item.id = `viewfinder-${kind}-${Math.random().toString(36).slice(2)}`;
    item.setAttribute(MARK, kind);
    const path = item.querySelector('svg path');
    path?.setAttribute('d', JOBS[kind].icon);
    path?.closest('svg')?.setAttribute('viewBox', '0 0 24 24');
    for (const title of item.querySelectorAll('svg title, svg desc')) title.remove();
    const texts = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
    let label = null;
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!label && text.data.trim()) label = text;
      else text.data = '';
    }
    label ??= item.appendChild(document.createTextNode(''));
    label.data = words()[kind][0];
    light(item, false);
    item.addEventListener('mouseover', () => light(item, true));
    item.addEventListener('mouseleave', () => light(item, false));
    item.addEventListener('click', safely(async (event) => {
      event.preventDefault();
      event.stopPropagation();
      closeMenus();
      const chosen = await ids();
      if (chosen.length > 0) await run(kind, chosen);
      else toast(kind).end(words()[kind][2], '', true);
    }));
    return item;
  };

  // The jobs are the last entries of a menu, behind its only line; only owners see them.
  const complete = (menu, ids, usable) => {
    const line = menu?.querySelector(':scope > hr');
    const present = menu?.querySelectorAll(`[${MARK}]`) ?? [];
    if (!line || !usable) {
      for (const item of present) item.remove();
      return;
    }
    if (present.length === 0) {
      let neighbour = null;
      for (let next = line.nextElementSibling; next; next = next.nextElementSibling) {
        if (next.matches('li[role="menuitem"]')) neighbour = next;
      }
      neighbour?.after(...again.map((kind) => entry(neighbour, kind, ids)));
    }
    const active = menu.getAttribute('aria-activedescendant');
    for (const item of present) light(item, item.id === active || item.matches(':hover'));
  };

  const menuOf = (bar) => {
    const buttons = [...(bar?.querySelectorAll('button[id^="context-menu-button-"]') ?? [])];
    const menus = buttons.map((button) => {
      const named = button.getAttribute('aria-controls');
      return (named && document.getElementById(named)) || bar.querySelector(`ul[aria-labelledby="${button.id}"]`);
    });
    return menus.filter((menu) => menu?.matches('ul[role="menu"]')).find((menu) => menu.querySelector(':scope > hr'));
  };

  const shown = () => ID.exec(location.pathname)?.[1] ?? null;

  // How many are selected. Immich writes it twice, for narrow and for wide windows.
  const counted = (bar) => {
    const numbers = [...bar.querySelectorAll('p')].map((text) => Number(text.textContent.replace(/\D/g, '')));
    return numbers.find(Boolean) ?? 0;
  };

  // Long lists keep only what is in sight, so the selection is what was seen to be selected, and is believed only if
  // it is as large as the bar says.
  const selected = new Set();
  const seen = (bar) => {
    if (!bar) {
      selected.clear();
      return [];
    }
    for (const photo of document.querySelectorAll('[data-asset]')) {
      const box = photo.querySelector('[role="checkbox"]');
      if (box?.getAttribute('aria-checked') === 'true') selected.add(photo.dataset.asset);
      else selected.delete(photo.dataset.asset);
    }
    return counted(bar) === selected.size ? [...selected] : [];
  };

  // Immich's own job for thumbnails, which is known by its picture: the one that would do no harm.
  const thumbnails = (bar) =>
    menuOf(bar)?.querySelector(':scope > hr ~ li path[d^="M14.68 13.25C13.45"]')?.closest('li');

  // Asks Immich's page what is selected: its own job is chosen, and its request is taken here and never sent. Should it
  // take another way than this, the companion refuses it, which is told by the cookie.
  const asked = (job) => new Promise((resolve) => {
    const own = window.fetch;
    let listening = true;
    const refuse = (seconds) => {
      document.cookie = `viewfinder_listening=1; path=${ROUTE}; max-age=${seconds}; samesite=strict`;
    };
    const end = (ids) => {
      listening = false;
      if (window.fetch === take) window.fetch = own;
      resolve(ids);
    };
    const take = (...given) => {
      const [target, options] = given;
      if (!listening || !String(target?.url ?? target).includes(ROUTE)) return own.apply(window, given);
      refuse(0);
      let ids = [];
      try {
        ids = JSON.parse(options.body).assetIds;
      } catch (error) {
        complain(error);
      }
      end(ids);
      // Immich's page would tell of an answer, whatever it is.
      return new Promise(() => {});
    };
    window.fetch = take;
    refuse(10);
    setTimeout(() => listening && end([]), 2000);
    job.click();
  });

  // What is selected; then, as after Immich's own jobs, nothing is.
  const selection = async () => {
    const bar = document.querySelector(SELECTION_BAR);
    const known = seen(bar);
    const job = thumbnails(bar);
    const ids = known.length > 0 || !job ? known : await asked(job);
    if (ids.length > 0) bar.firstElementChild?.querySelector('button')?.click();
    return ids;
  };

  const menus = safely(() => {
    if (again.length === 0) return;
    const bar = document.querySelector(`${VIEWER} ${VIEWER_BAR}`);
    if (bar && shown()) {
      complete(menuOf(bar), () => [shown()].filter(Boolean), true);
    }
    const selecting = document.querySelector(SELECTION_BAR);
    const known = seen(selecting).length > 0;
    if (selecting && !bar) {
      complete(menuOf(selecting), selection, known || (counted(selecting) > 0 && thumbnails(selecting)));
    }
  });

  // The words of a search for text that led to this photo.
  const sought = () => {
    if (!location.pathname.startsWith('/search/photos/')) return [];
    let query = {};
    try {
      query = JSON.parse(new URLSearchParams(location.search).get('query') ?? '{}');
    } catch {
      return [];
    }
    const words = typeof query.ocr === 'string' ? query.ocr : /^\s*ocr\s*[:：]([\s\S]*)/i.exec(query.query ?? '')?.[1];
    const pieces = (words ?? '').match(/-?"[^"]*"|\S+/g) ?? [];
    return pieces
      .filter((piece) => !/^-|^(path|after|before|person|clip):/i.test(piece))
      .map((piece) => plain(piece.replaceAll('"', '')))
      .filter((word) => LETTER.test(word));
  };

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

  // The lines with a word; if none has it, those that have it with mistakes.
  const found = (word, lines) => {
    const exact = lines.filter((line) => plain(line.text).includes(word));
    return exact.length > 0 ? exact : lines.filter((line) => mistakes(word, line.text) <= forgiven(word));
  };

  // Where the picture is in the window, without the edges that it leaves free in its box.
  const place = (image) => {
    const box = image.getBoundingClientRect();
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!width || !height || !box.width || getComputedStyle(image).objectFit !== 'contain') return box;
    const scale = Math.min(box.width / width, box.height / height);
    const [w, h] = [width * scale, height * scale];
    return new DOMRect(box.x + (box.width - w) / 2, box.y + (box.height - h) / 2, w, h);
  };

  const picture = (id) => {
    const images = [...document.querySelectorAll(`${VIEWER} img`)].filter((image) => image.complete);
    const area = (image) => image.clientWidth * image.clientHeight;
    const own = images.filter((image) => image.currentSrc.includes(id));
    return (own.length > 0 ? own : images).sort((a, b) => area(b) - area(a))[0] ?? null;
  };

  // What is drawn, or being fetched: photo and words.
  let drawn = '';
  const clear = () => document.querySelector(`[${MARK}="marks"]`)?.remove();

  const marks = safely(async () => {
    const id = shown();
    const terms = id && document.querySelector(VIEWER) ? sought() : [];
    const wanted = terms.length > 0 ? `${id} ${terms.join(' ')}` : '';
    if (wanted === drawn) return;
    drawn = wanted;
    clear();
    if (!wanted) return;
    const response = await fetch(`/api/assets/${id}/ocr`);
    if (!response.ok) return;
    const lines = await response.json();
    if (drawn !== wanted) return;
    draw(id, wanted, [...new Set(terms.flatMap((term) => found(term, lines)))]);
  });

  const draw = (id, wanted, lines) => {
    const viewer = document.querySelector(VIEWER);
    if (!viewer || lines.length === 0) return;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute(MARK, 'marks');
    svg.setAttribute('viewBox', '0 0 1 1');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    Object.assign(svg.style, { position: 'fixed', pointerEvents: 'none', display: 'none' });
    for (const line of lines) {
      const shape = document.createElementNS(SVG, 'polygon');
      shape.setAttribute('points', [1, 2, 3, 4].map((corner) => `${line[`x${corner}`]},${line[`y${corner}`]}`).join(' '));
      shape.setAttribute('fill', 'rgba(255, 213, 0, .3)');
      shape.setAttribute('stroke', '#ffb300');
      shape.setAttribute('stroke-width', '2');
      shape.setAttribute('vector-effect', 'non-scaling-stroke');
      svg.append(shape);
    }
    viewer.append(svg);
    // The picture is zoomed and moved by the page without a word.
    const follow = safely(() => {
      if (drawn !== wanted || !svg.isConnected) {
        svg.remove();
        return;
      }
      const image = picture(id);
      const style = { display: image ? 'block' : 'none' };
      if (image) {
        const { x, y, width, height } = place(image);
        Object.assign(style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
      }
      for (const [name, value] of Object.entries(style)) {
        if (svg.style[name] !== value) svg.style[name] = value;
      }
      requestAnimationFrame(follow);
    });
    follow();
  };

  // Often asked, seldom done: ten times a second at most.
  let planned = false;
  const look = safely(() => {
    if (planned) return;
    planned = true;
    setTimeout(() => {
      planned = false;
      menus();
      marks();
    }, 100);
  });

  // Immich refuses vectors while its own search by them is off.
  const offer = safely(async () => {
    const ask = () => fetch('/api/server/features').then((answer) => answer.json());
    const features = named.includes('clip') ? await ask().catch(complain) : null;
    again = named.filter((kind) => kind === 'ocr' || (kind === 'clip' && features?.smartSearch));
    look();
  });

  safely(() => {
    new MutationObserver(look).observe(document.documentElement, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: ['aria-activedescendant', 'aria-checked', 'lang', 'src'],
    });
    addEventListener('popstate', look);
    look();
    offer();
  })();
})();
