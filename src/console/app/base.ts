/** The path of the public address, which a proxy may have taken away: empty, or with a slash in front and none behind. */
export const BASE = document.getElementById('console')?.dataset.base ?? ''

/** An address of this server as the browser has to ask for it. */
export const below = (path: string) => `${BASE}${path}`
