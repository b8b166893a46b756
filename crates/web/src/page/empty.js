// What is shown where there are no pictures yet: how to add a folder. It goes away by itself.

import { speaker } from '/ui/language.js';
import * as api from './api.js';
import { copyText } from './clipboard.js';
import { element } from './dom.js';

const WORDS = {
  en: {
    title: 'No pictures yet',
    how: 'Run this on the machine that Viewfinder runs on. It reads the folder and changes nothing in it.',
    folder: 'Folder', example: '~/Pictures', command: 'Command', copy: 'Copy', copied: 'Copied',
    waits: 'Pictures appear here as soon as they are found.',
    empty: 'Folders were indexed, but no picture was found in them.',
    container: 'In a container: put “docker compose exec viewfinder” before it, and name the folder as the container sees it.',
  },
  zh: {
    title: '还没有图片',
    how: '请在运行 Viewfinder 的机器上执行以下命令。它只读取文件夹，不会改动其中的内容。',
    folder: '文件夹', example: '~/Pictures', command: '命令', copy: '复制', copied: '已复制',
    waits: '找到图片后，会自动显示在这里。',
    empty: '已建立索引的文件夹中没有找到图片。',
    container: '如果在容器中运行：在命令前加上 “docker compose exec viewfinder”，并填写容器内的文件夹路径。',
  },
  es: {
    title: 'Todavía no hay fotos',
    how: 'Ejecuta esto en la máquina donde funciona Viewfinder. Lee la carpeta y no cambia nada en ella.',
    folder: 'Carpeta', example: '~/Pictures', command: 'Orden', copy: 'Copiar', copied: 'Copiado',
    waits: 'Las fotos aparecerán aquí en cuanto se encuentren.',
    empty: 'Se indexaron carpetas, pero no se encontró ninguna foto en ellas.',
    container: 'En un contenedor: antepón «docker compose exec viewfinder» y escribe la carpeta tal como la ve el contenedor.',
  },
};

const say = speaker(WORDS);

const PAUSE_MS = 2000;

/** As a shell takes it for one word; a leading `~/` stays what it is. */
function quoted(folder) {
  if (/^[\w~@%+=:,./-]+$/.test(folder)) return folder;
  const [, home, rest] = /^(~\/)?(.*)$/s.exec(folder);
  return `${home ?? ''}'${rest.replaceAll("'", "'\\''")}'`;
}

let shown = 0;

/** Fills a node with what to do, until there are pictures; then it empties the node and calls `done`. */
export async function show(node, status, done) {
  const mine = ++shown;
  const folder = element('input', { id: 'empty-folder', value: say('example'), spellcheck: false, autocomplete: 'off' });
  const command = element('code', { id: 'empty-command' });
  const copied = element('span', { className: 'soft', role: 'status' });
  const copy = element('button', { type: 'button', id: 'empty-copy', textContent: say('copy') });
  const write = () => { command.textContent = `${status.index_command} ${quoted(folder.value.trim() || say('example'))}`; };
  folder.addEventListener('input', write);
  copy.addEventListener('click', async () => {
    if (await copyText(command.textContent, node)) copied.textContent = say('copied');
    else getSelection().selectAllChildren(command);
  });
  write();
  const label = element('label', { htmlFor: 'empty-folder', textContent: say('folder') });
  node.replaceChildren(
    element('h1', { textContent: say('title') }),
    ...(status.catalog === 'empty' ? [element('p', { textContent: say('empty') })] : []),
    element('p', { textContent: say('how') }),
    element('p', {}, label, ' ', folder),
    element('pre', { role: 'group', ariaLabel: say('command') }, command),
    element('p', {}, copy, ' ', copied),
    element('p', { className: 'soft', textContent: say('container') }),
    element('p', { className: 'soft', textContent: say('waits') }),
  );
  node.hidden = false;
  await filled(mine);
  if (mine !== shown) return;
  hide(node);
  done();
}

/** Empties the node again. */
export function hide(node) {
  shown += 1;
  node.hidden = true;
  node.replaceChildren();
}

/** Waits until there are pictures, or until somebody else waits for them. */
async function filled(mine) {
  while (mine === shown) {
    await new Promise((later) => { setTimeout(later, PAUSE_MS); });
    const state = await api.status().catch(() => null);
    if (state?.catalog === 'ready') return;
  }
}
