// Sends judgements in their order, one request at a time, until each is stored.

import { postJson } from "./http.js";

const MOST = 500; // judgements that the service accepts in a request
const RETRY_S = 2;

export class Outbox {
  #waiting = [];
  #sending = false;
  #timer = 0;
  #changed;

  /** `changed(count, problem)`: called with the number that wait, and why if sending failed. */
  constructor(changed) {
    this.#changed = changed;
  }

  get size() {
    return this.#waiting.length;
  }

  add(rating) {
    this.#waiting.push(rating);
    return this.flush();
  }

  /** Sends what waits; tries again later if the service cannot be reached. */
  async flush() {
    clearTimeout(this.#timer);
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.size) await this.#send();
      this.#changed(0);
    } catch (problem) {
      if (problem.passing) {
        this.#timer = setTimeout(() => this.flush(), 1000 * (problem.retryAfter || RETRY_S));
      }
      this.#changed(this.size, problem);
    } finally {
      this.#sending = false;
    }
  }

  async #send() {
    const ratings = this.#waiting.slice(0, MOST);
    this.#changed(this.size);
    await postJson("v1/ratings", { ratings });
    this.#waiting.splice(0, ratings.length);
  }
}
