// An analysis made again on request.

import * as api from './api.js';
import { say, sayCode, sayProblem } from './words.js';

const PAUSE_MS = 700;

/**
 * Asks for an analysis of an asset anew and waits until it is there, as long as `current()`; says by `tell(text)` how it
 * goes, and hands what was found to `changed(asset)`.
 */
export async function rerun({ id, lines }, kind, { current, tell, changed }) {
  const corrected = kind === 'ocr' && lines.some((line) => line.corrected);
  const replace = corrected && confirm(say('replaceCorrections'));
  try {
    await api.rerun(id, [kind], replace);
    tell(say('queued'));
    while (current()) {
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
      const full = await api.asset(id);
      const { state, code, message } = full.analysis[kind];
      if (state === 'never' || !current()) continue;
      changed(full);
      tell(state === 'done' ? say('rerunDone') : say('rerunFailed', { why: sayCode(code, message) }));
      return;
    }
  } catch (error) {
    if (current()) tell(say('rerunFailed', { why: sayProblem(error) }));
  }
}
