// Asking the server about what is being typed: after a pause, and an older question's answer is not shown.

const PAUSE = 150; // milliseconds without a key before the server is asked

/**
 * Give a function to be called at each key. `ask` gives a response; `read` reads it, for `show` to show. `fail` is told
 * where there is no answer.
 */
export function askLater(ask, read, show, fail = () => {}) {
  let timer = 0;
  let asked = 0;

  async function askNow() {
    const number = ++asked;
    const response = await ask().catch(() => null);
    const answer = response?.ok ? await read(response) : null;
    if (number !== asked) return; // another question is on its way
    if (response?.ok) show(answer);
    else fail();
  }

  return () => {
    clearTimeout(timer);
    timer = setTimeout(askNow, PAUSE);
  };
}
