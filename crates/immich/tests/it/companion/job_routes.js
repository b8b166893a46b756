// Stands in for the routes of Viewfinder's jobs, within the browser: what a job has done is whatever a test says. It
// outlives the page, as the companion does.
window.jobRoutes = (() => {
  const own = window.fetch.bind(window);
  const stored = (name) => JSON.parse(localStorage.getItem(name) ?? '[]');
  const store = (name, value) => localStorage.setItem(name, JSON.stringify(value));
  const routes = {
    // Method, path and body of what was asked, but for questions how far jobs are, which are counted.
    asked: () => stored('asked'),
    polls: 0,
    jobs: () => stored('jobs'),
    // Changes the newest job.
    change: (values) => store('jobs', stored('jobs').map((job, at) => (at === 0 ? { ...job, ...values } : job))),
    // The next start is refused.
    refusal: null,
    // The next job ends so as soon as it is started.
    ends: null,
    // What a job has done after the photos that are in hand when it is stopped.
    late: null,
  };
  const start = ({ name, assetIds, job: id }) => {
    const jobs = stored('jobs');
    const running = jobs.find((job) => job.name === name && job.state === 'running');
    const job = jobs.find((job) => job.id === id) ?? running ??
      { id: `job-${jobs.length + 1}`, name, state: 'running', all: 0, done: 0, failed: 0 };
    if (!running || id) job.all += assetIds.length;
    if (routes.ends) Object.assign(job, { state: routes.ends, done: job.all });
    routes.ends = null;
    store('jobs', [job, ...jobs.filter((other) => other.id !== job.id)]);
    return { ...job, ...(running && !id && { already: true }) };
  };
  window.fetch = async (target, options = {}) => {
    const path = String(target?.url ?? target);
    if (!path.startsWith('/_viewfinder/jobs')) return own(target, options);
    const method = options.method ?? 'GET';
    if (method === 'GET') {
      routes.polls += 1;
      return Response.json({ jobs: stored('jobs') });
    }
    const body = JSON.parse(options.body ?? 'null');
    const noted = body && { ...body, assetIds: body.assetIds.length };
    store('asked', [...stored('asked'), { method, path, type: options.headers?.['Content-Type'], body: noted }]);
    if (method === 'DELETE') {
      routes.change({ state: 'stopped' });
      if (routes.late) {
        await new Promise((done) => setTimeout(done, 1500));
        routes.change(routes.late);
      }
      return new Response(null, { status: 204 });
    }
    const ended = stored('jobs').find((job) => job.id === body.job && job.state !== 'running');
    if (ended) {
      const code = ended.state === 'stopped' ? 'job_stopped' : 'job_ended';
      return Response.json({ code, message: 'this job has ended' }, { status: 409 });
    }
    const refusal = routes.refusal;
    routes.refusal = null;
    return refusal
      ? Response.json({ message: refusal[1] }, { status: refusal[0] })
      : Response.json(start(body), { status: 202 });
  };
  return routes;
})();
