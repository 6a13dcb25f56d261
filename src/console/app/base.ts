/** The path of the public address, which a proxy may have taken away: empty, or with a slash in front and none behind. */
export const BASE = document.getElementById('console')?.dataset.base ?? ''

/** An address of this server as the browser has to ask for it. */
export const below = (path: string) => `${BASE}${path}`

/** The business that a member of several chose. */
export const chosenBusiness = () => localStorage.getItem('business')

/** The address of a file for an image, a player or a link: those send no header that names the business. */
export function fileAddress(path: string, options: { download?: boolean } = {}): string {
  const business = chosenBusiness()
  const query = new URLSearchParams({
    ...(options.download ? { download: '1' } : {}),
    ...(business ? { business } : {}),
  })
  return below(query.size > 0 ? `${path}?${query}` : path)
}
