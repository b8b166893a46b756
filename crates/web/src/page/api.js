// Requests to the server. Answers are data; nothing in them is ever used as markup.

/** An answer that says no; `code` is stable, `detail` is for people, `character` points into a query. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    Object.assign(this, problem);
  }
}

let askForKey = async () => {};

/** Says what to do when a key is wanted; the request is sent again once that resolves. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

async function request(method, path, body) {
  const options = { method, headers: { accept: 'application/json' } };
  if (body instanceof Blob) {
    options.headers['content-type'] = body.type.startsWith('image/') ? body.type : 'application/octet-stream';
    options.body = body;
  } else if (body !== undefined) {
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  if (response.status === 401 && path !== '/api/v1/session') {
    await askForKey();
    return request(method, path, body);
  }
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Refused(answer);
  return answer;
}

const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
};

export const search = (q, cursor) => request('GET', `/api/v1/search${query({ q, cursor })}`);
export const similar = (id, cursor) => request('GET', `/api/v1/assets/${id}/similar${query({ cursor })}`);
export const asset = (id) => request('GET', `/api/v1/assets/${id}`);
export const correct = (id, line, text) => request('PATCH', `/api/v1/assets/${id}/lines/${line}`, { text });
export const rerun = (id, kinds, replaceCorrections) =>
  request('POST', `/api/v1/assets/${id}/rerun`, { kinds, replace_corrections: replaceCorrections });
export const namePerson = (id, name) => request('PATCH', `/api/v1/people/${id}`, { name });
export const people = (which) => request('GET', `/api/v1/people${query(which)}`);
export const person = (id) => request('GET', `/api/v1/people/${id}`);
export const facesOf = (id, cursor) => request('GET', `/api/v1/people/${id}/faces${query({ cursor })}`);
export const picturesOf = (id, cursor) => request('GET', `/api/v1/people/${id}/pictures${query({ cursor })}`);
export const namePeople = (ids, name) => request('PATCH', '/api/v1/people', { people: ids, name });
export const mergePeople = (id, others) => request('POST', `/api/v1/people/${id}/merge`, { people: others });
export const newPerson = (asset, face, name) => request('POST', '/api/v1/people', { asset, face, name });
export const assignFace = (id, asset, face) => request('PUT', `/api/v1/people/${id}/faces/${asset}/${face}`);
export const rejectFace = (id, asset, face) => request('DELETE', `/api/v1/people/${id}/faces/${asset}/${face}`);
/** The most that there is at once: a picture is not kept for a second page. */
export const byPicture = (picture) => request('POST', '/api/v1/search/picture?limit=200', picture);
export const status = () => request('GET', '/api/v1/status');
export const failures = () => request('GET', '/api/v1/failures');
export const signIn = (key) => request('POST', '/api/v1/session', { key });
