// Jobs of Viewfinder: starting them, and telling how far they are wherever Immich is opened.

const JOBS = '/_viewfinder/jobs';
// Photos in one request; the rest of a selection follows.
const AT_ONCE = 10000;
const EVERY = 1000;
const EVERY_WHILE_HIDDEN = 5000;
const REMEMBERED = 'viewfinder-jobs';

// Jobs whose end is to be told in this tab, by id: `shown`, or `closed` if only the end is wanted. They outlive
// the page.
const expected = (() => {
  try {
    return new Map(Object.entries(JSON.parse(sessionStorage.getItem(REMEMBERED) ?? '{}')));
  } catch {
    return new Map();
  }
})();
const remember = (id, state) => {
  if (expected.get(id) === state) return;
  if (state) expected.set(id, state);
  else expected.delete(id);
  try {
    sessionStorage.setItem(REMEMBERED, JSON.stringify(Object.fromEntries(expected)));
  } catch {
    // Storage may be closed to pages.
  }
};

// Notes of these jobs.
const notesOfJobs = new Map();
const watch = (job, note) => {
  notesOfJobs.set(job.id, note);
  note.onclose = () => remember(job.id, 'closed');
  if (job.all > 1) note.onstop = safely(async () => {
    // What is told until the answer is there may lack the photos in hand.
    pause();
    await plainFetch(`${JOBS}/${job.id}`, { method: 'DELETE' });
    await follow();
  });
};

const kindOf = (job) => Object.keys(KINDS).find((kind) => KINDS[kind].job === job.name);
const isRunning = (job) => job.state === 'running' || job.state === 'waiting';

const tellRunning = (job, kind) => {
  if (expected.get(job.id) === 'closed') return;
  const note = notesOfJobs.get(job.id) ?? toast(kind);
  watch(job, note);
  remember(job.id, 'shown');
  const said = words();
  const waits = job.state === 'waiting' && said.waiting;
  note.say(`${said[kind][0]}…`, [waits, progress(job)].filter(Boolean).join(': '));
};

const tellEnd = (job, kind) => {
  const said = words();
  const [name, done, failed] = said[kind];
  const note = notesOfJobs.get(job.id) ?? toast(kind);
  forget(job.id);
  note.onclose = null;
  if (job.state === 'stopped') note.end(name, said.stopped(progress(job)));
  else if (job.state === 'failed' || job.failed >= job.all) {
    note.end(failed, [progress(job), job.message].filter(Boolean).join(': '), true);
  } else note.end(done, progress(job));
  if (kind === 'ocr') drawAgain();
};

const forget = (id) => {
  remember(id, null);
  notesOfJobs.delete(id);
};

const tell = (jobs) => {
  for (const job of jobs) {
    const kind = kindOf(job);
    if (kind && isRunning(job)) tellRunning(job, kind);
    else if (kind && expected.has(job.id)) tellEnd(job, kind);
  }
  for (const id of [...expected.keys()].filter((id) => !jobs.some((job) => job.id === id))) {
    notesOfJobs.get(id)?.remove();
    forget(id);
  }
};

// Asks how far the jobs are, again and again while one runs. Only the newest question counts.
let turn = 0;
let timer = null;
const pause = () => {
  clearTimeout(timer);
  timer = null;
  turn += 1;
};
const follow = safely(async () => {
  pause();
  const own = turn;
  const answer = await plainFetch(JOBS).catch(complain);
  const jobs = answer?.ok ? (await answer.json().catch(complain))?.jobs : null;
  if (own !== turn) return;
  // Without a session, or without Viewfinder, there is nothing to wait for.
  const isOver = answer?.status >= 400 && answer.status < 500;
  if (jobs || isOver) tell(jobs ?? []);
  if (expected.size === 0) return;
  timer = setTimeout(follow, jobs && !document.hidden ? EVERY : EVERY_WHILE_HIDDEN);
});

const answerOf = (response) => response.json().catch(() => ({}));

// Starts a job for photos; a large selection is sent in parts, which are nobody's to lose once they are sent.
const start = async (kind, ids) => {
  const said = words();
  const [name, , failed] = said[kind];
  const note = toast(kind);
  note.say(`${name}…`, progress({ done: 0, failed: 0, all: ids.length }));
  let job = null;
  try {
    for (let sent = 0; sent < ids.length; sent += AT_ONCE) {
      const part = { name: KINDS[kind].job, assetIds: ids.slice(sent, sent + AT_ONCE) };
      let response = await sendJson(JOBS, job ? { ...part, job: job.id } : part);
      let answer = await answerOf(response);
      // Whoever stopped it meant the rest, too.
      if (job && answer.code === 'job_stopped') return;
      if (job && [404, 409].includes(response.status)) {
        // It was done before the next part came.
        response = await sendJson(JOBS, part);
        answer = await answerOf(response);
      }
      if (!response.ok) throw new Error([answer.message ?? response.status].flat().join(', '));
      if (!job && answer.already) toast(kind).end(name, said.already);
      job = answer;
      adopt(answer, kind, note);
    }
  } catch (error) {
    (job ? toast(kind) : note).end(failed, error.message, true);
  }
};

// A job that was started here, with the note that was there before it.
const adopt = (job, kind, note) => {
  const present = notesOfJobs.get(job.id);
  if (present !== note) present?.remove();
  watch(job, note);
  remember(job.id, note.closed ? 'closed' : 'shown');
  if (isRunning(job)) tellRunning(job, kind);
  else tellEnd(job, kind);
  follow();
};
