// Adds to Immich's page: two entries in the menus of photos, and marks on text that was searched for.
// It knows Immich's page by a few anchors only. Where one is missing, nothing happens; whatever fails is told to the
// console, once, and to nobody else.
(() => {
  'use strict';

  const again = (document.currentScript?.dataset.again ?? '').split(' ').filter(Boolean);

  const VIEWER = '#immich-asset-viewer';
  const VIEWER_BAR = '[data-testid="asset-viewer-navbar-actions"]';
  const SELECTION_BAR = '#asset-selection-app-bar';
  const ID = /\/photos\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/i;
  const MARK = 'data-viewfinder';
  const SVG = 'http://www.w3.org/2000/svg';

  const JOBS = {
    ocr: { name: 'refresh-ocr', icon: 'M3 5h18v2H3zM3 11h12v2H3zM3 17h8v2H3z' },
    clip: { name: 'refresh-smart-search', icon: 'M12 3 15 9l6 3-6 3-3 6-3-6-6-3 6-3z' },
  };

  const WORDS = {
    en: {
      ocr: ['Regenerate OCR data', 'OCR data regenerated', 'OCR data could not be regenerated'],
      clip: ['Regenerate CLIP vectors', 'CLIP vectors regenerated', 'CLIP vectors could not be regenerated'],
    },
    zh: {
      ocr: ['重新生成 OCR 数据', '已重新生成 OCR 数据', '未能重新生成 OCR 数据'],
      clip: ['重新生成 CLIP 向量', '已重新生成 CLIP 向量', '未能重新生成 CLIP 向量'],
    },
    es: {
      ocr: ['Regenerar datos de OCR', 'Datos de OCR regenerados', 'No se pudieron regenerar los datos de OCR'],
      clip: ['Regenerar vectores CLIP', 'Vectores CLIP regenerados', 'No se pudieron regenerar los vectores CLIP'],
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
    const language = languages.find(Boolean) ?? 'en';
    return WORDS[language.toLowerCase().split(/[-_]/)[0]] ?? WORDS.en;
  };

  const toast = (text, failed) => {
    document.querySelector(`[${MARK}="toast"]`)?.remove();
    const dark = document.documentElement.classList.contains('dark');
    const box = document.createElement('div');
    box.setAttribute(MARK, 'toast');
    box.setAttribute('role', failed ? 'alert' : 'status');
    box.textContent = text;
    const colours = failed ? ['#b91c1c', '#fff1f2'] : dark ? ['#adcbfa', '#1f2937'] : ['#4250af', '#eef1ff'];
    Object.assign(box.style, {
      position: 'fixed', right: '20px', top: '80px', zIndex: '10000', maxWidth: '300px', padding: '16px',
      borderRadius: '16px', border: `1px solid ${colours[0]}`, color: colours[0], background: colours[1],
      fontSize: '14px', boxShadow: '0 4px 12px rgba(0, 0, 0, .25)',
    });
    document.body.append(box);
    setTimeout(() => box.remove(), failed ? 8000 : 4000);
  };

  const run = async (kind, ids) => {
    const [, done, failed] = words()[kind];
    let refusal = '';
    try {
      const response = await fetch('/api/assets/jobs', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ assetIds: ids, name: JOBS[kind].name }),
      });
      if (response.ok) {
        toast(done, false);
        drawn = '';
        return;
      }
      const said = await response.json().catch(() => ({}));
      refusal = [said.message ?? response.status].flat().join(', ');
    } catch (error) {
      refusal = String(error.message ?? error);
    }
    toast(refusal ? `${failed}: ${refusal}` : failed, true);
  };

  // Immich's menus close when something else is clicked.
  const closeMenus = () => {
    for (const type of ['mousedown', 'mouseup', 'click']) {
      document.body.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true }));
    }
  };

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
    item.addEventListener('click', safely((event) => {
      event.preventDefault();
      event.stopPropagation();
      const chosen = ids();
      closeMenus();
      return chosen.length > 0 ? run(kind, chosen) : undefined;
    }));
    return item;
  };

  // The jobs are the last entries of a menu, behind its only line; only owners see them.
  const complete = (menu, ids, usable) => {
    const line = menu?.querySelector(':scope > hr');
    const present = menu?.querySelectorAll(`[${MARK}]`) ?? [];
    if (!line) {
      for (const item of present) item.remove();
      return;
    }
    if (present.length === 0) {
      let neighbour = null;
      for (let next = line.nextElementSibling; next; next = next.nextElementSibling) {
        if (next.matches('li[role="menuitem"]')) neighbour = next;
      }
      if (!neighbour) return;
      neighbour.after(...again.filter((kind) => kind in JOBS).map((kind) => entry(neighbour, kind, ids)));
    }
    for (const item of menu.querySelectorAll(`[${MARK}]`)) {
      const display = usable ? '' : 'none';
      if (item.style.display !== display) item.style.display = display;
    }
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

  // Long lists keep only what is in sight, so the selection is what was seen to be selected, and is believed only if
  // it is as large as the bar says.
  const selected = new Set();
  const selection = (bar) => {
    if (!bar) {
      selected.clear();
      return [];
    }
    for (const photo of document.querySelectorAll('[data-asset]')) {
      const box = photo.querySelector('[role="checkbox"]');
      if (box?.getAttribute('aria-checked') === 'true') selected.add(photo.dataset.asset);
      else selected.delete(photo.dataset.asset);
    }
    const said = /\d[\d.,\u00a0\u202f ]*/.exec(bar.textContent ?? '')?.[0].replace(/\D/g, '');
    return Number(said) === selected.size ? [...selected] : [];
  };

  const menus = safely(() => {
    if (again.length === 0) return;
    const bar = document.querySelector(`${VIEWER} ${VIEWER_BAR}`);
    if (bar && shown()) {
      complete(menuOf(bar), () => [shown()].filter(Boolean), true);
    }
    const selecting = document.querySelector(SELECTION_BAR);
    const ids = selection(selecting);
    if (selecting && !bar) {
      complete(menuOf(selecting), () => selection(document.querySelector(SELECTION_BAR)), ids.length > 0);
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
      .filter(Boolean);
  };

  // Readers lose spaces, and cases, widths and accents make no difference.
  const plain = (text) =>
    text.normalize('NFKD').replace(/\p{M}/gu, '').normalize('NFKC').toLowerCase().replace(/\s+/g, '');

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
    draw(id, wanted, lines.filter((line) => terms.some((term) => plain(line.text).includes(term))));
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

  safely(() => {
    new MutationObserver(look).observe(document.documentElement, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: ['aria-checked', 'lang', 'src'],
    });
    addEventListener('popstate', look);
    look();
  })();
})();
