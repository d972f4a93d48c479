// A rater's way through the queries and their results. Uses neither the document nor the service.
//
// A query is {product_id} or {photo}; its pool is what the service answers for it, see
// `POST /v1/ratings/candidates` in docs/api.md. Grades are written into the pool.

export class Session {
  #load;
  #pools = new Map(); // by the number of the query: a promise
  #judged = []; // for undo: where, and the grade before

  at = 0; // number of the query; that of all queries when there is none left
  place = 0; // number of the result
  pool = null;

  /** `load(query)`: requests its pool. */
  constructor(queries, load) {
    this.queries = queries;
    this.#load = load;
  }

  get candidate() {
    return this.pool?.candidates[this.place];
  }

  get complete() {
    return !hasOpen(this.pool);
  }

  get canUndo() {
    return this.#judged.length > 0;
  }

  /** Goes to a query; with `unjudged`, to the first from there on that has a result to judge. */
  async go(at, { unjudged = false } = {}) {
    let pool = await this.#poolOf(at);
    while (unjudged && pool && !hasOpen(pool)) {
      at += 1;
      pool = await this.#poolOf(at);
    }
    const place = pool ? Math.max(0, pool.candidates.findIndex(isOpen)) : 0;
    Object.assign(this, { at, pool, place });
    this.#poolOf(at + 1).catch(() => {}); // in advance; asked again when it is needed
  }

  /** Goes to a result of the query, if there is one of this number. */
  choose(place) {
    if (this.pool?.candidates[place]) this.place = place;
  }

  /** Goes to the next result to judge of this query; returns false if there is none. */
  advance() {
    const next = this.pool.candidates.findIndex((each, place) => place > this.place && isOpen(each));
    if (next >= 0) this.place = next;
    return next >= 0;
  }

  /** Grades the result; returns what the service is to store. */
  grade(grade) {
    this.#judged.push({ at: this.at, place: this.place, grade: this.candidate.grade });
    return this.#graded(grade);
  }

  /** Takes the last grade back and goes there; returns what the service is to store. */
  async undo() {
    const { at, place, grade } = this.#judged.at(-1);
    if (at !== this.at) await this.go(at);
    this.#judged.pop();
    this.place = place;
    return this.#graded(grade);
  }

  #graded(grade) {
    this.candidate.grade = grade;
    const { query_product_id, query_photo } = this.pool;
    return { query_product_id, query_photo, product_id: this.candidate.product_id, grade };
  }

  async #poolOf(at) {
    const query = this.queries[at];
    if (!query) return null;
    if (!this.#pools.has(at)) this.#pools.set(at, this.#load(query));
    try {
      return await this.#pools.get(at);
    } catch (problem) {
      this.#pools.delete(at);
      throw problem;
    }
  }
}

function isOpen({ grade }) {
  return grade === null;
}

function hasOpen(pool) {
  return pool.candidates.some(isOpen);
}
