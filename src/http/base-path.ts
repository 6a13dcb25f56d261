const LINKS = { a: 'href', link: 'href', base: 'href', script: 'src', img: 'src', form: 'action', button: 'formaction' }

/** An installation below a path, stripped by the proxy or not: redirects, cookies and pages get the path here. */
export class BasePath {
  /** Empty, or with a slash in front and none behind. */
  readonly path: string
  readonly #rewriter: HTMLRewriter

  constructor(publicBaseUrl: string) {
    this.path = new URL(publicBaseUrl).pathname.replace(/\/+$/, '')
    this.#rewriter = new HTMLRewriter()
    for (const [tag, name] of Object.entries(LINKS))
      this.#rewriter.on(`${tag}[${name}]`, {
        element: (element) => void element.setAttribute(name, this.below(element.getAttribute(name) ?? '')),
      })
    this.#rewriter.on('meta[http-equiv="refresh"]', {
      element: (element) => {
        const [, wait = '', url] = /^(.*?url=)(.*)$/i.exec(element.getAttribute('content') ?? '') ?? []
        if (url !== undefined) element.setAttribute('content', wait + this.below(url))
      },
    })
  }

  /** An address of this server with the path in front; any other address unchanged. */
  below(address: string): string {
    const local = address.startsWith('/') && !address.startsWith('//')
    return local && !this.#has(address) ? this.path + address : address
  }

  enter(request: Request): Request {
    if (this.path === '') return request
    const [, origin = '', target = ''] = /^([a-z]+:\/\/[^/?#]*)(.*)$/is.exec(request.url) ?? []
    if (origin === '' || !this.#has(target)) return request
    const rest = target.slice(this.path.length)
    return new Request(`${origin}${rest.startsWith('/') ? '' : '/'}${rest}`, request)
  }

  leave(response: Response): Response {
    if (this.path === '') return response
    const location = response.headers.get('location')
    const cookies = response.headers.getSetCookie()
    const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false
    if (location === null && cookies.length === 0 && !isPage) return response
    const headers = new Headers(response.headers)
    if (location !== null) headers.set('Location', this.below(location))
    headers.delete('set-cookie')
    for (const cookie of cookies) headers.append('Set-Cookie', this.#cookie(cookie))
    if (isPage) headers.delete('content-length')
    const { status, statusText } = response
    const left = new Response(response.body, { status, statusText, headers })
    return isPage ? this.#rewriter.transform(left) : left
  }

  #cookie(cookie: string): string {
    return cookie.replace(/(;\s*path=)(\/[^;]*)/i, (_, name: string, path: string) => {
      const below = this.below(path.trim())
      return name + (below === `${this.path}/` ? this.path : below)
    })
  }

  #has(target: string): boolean {
    return target === this.path || new RegExp(`^${RegExp.escape(this.path)}[/?#]`).test(target)
  }
}
