/** @jsxImportSource hono/jsx */
import { type Context, Hono } from 'hono'
import { unsubscribeMail } from '../domain/alerts/index.ts'
import type { BusinessDirectory } from '../domain/businesses/index.ts'
import type { DomainContext } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'
import { sendPage } from './html-page.tsx'
import { languageOf } from './page-language.ts'
import { LOOK } from './page-look.ts'

type UnsubscribeDeps = {
  ctx: DomainContext
  directory: Pick<BusinessDirectory, 'business'>
  /** Reads the token of a link; null when it is none of this installation. */
  read(token: string): { businessId: string; userId: string } | null
}

const STYLE = `${LOOK}
main { display: grid; place-items: center; align-content: center; min-height: 100svh; padding: 1rem; }
.card { display: grid; gap: 1rem; width: min(26rem, 100%); padding: 2rem; border: 1px solid var(--line); border-radius: 12px;
  background: var(--surface); overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.25rem; }
p { margin: 0; line-height: 1.5; }
button { min-height: 2.75rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px; background: var(--accent);
  color: var(--accent-ink); }
`

const TEXTS = {
  he: {
    title: 'התראות במייל',
    ask: (business: string) => `להפסיק לקבל התראות במייל מ-${business}? התראות בדרכים אחרות ימשיכו.`,
    button: 'להפסיק',
    done: 'לא יישלחו יותר התראות במייל. אפשר להחזיר אותן בהגדרות המסוף.',
  },
  en: {
    title: 'Alerts by mail',
    ask: (business: string) => `Stop alerts of ${business} by mail? Alerts by other ways go on.`,
    button: 'Stop them',
    done: 'No more alerts are sent by mail. They can be switched on again in the settings of the console.',
  },
} as const

/** Where the link in a mail leads to: the page asks, a POST acts, since programs that scan mails open links (RFC 8058). */
export function createUnsubscribe({ ctx, directory, read }: UnsubscribeDeps): Hono {
  const app = new Hono()
  const find = (c: Context) => {
    const named = read(c.req.param('token') ?? '')
    const business = named && directory.business(named.businessId)
    if (!named || !business)
      throw new AppError('not_found', 'link_not_valid', 'The link is not valid. Use the one in the last mail.')
    return { named, business }
  }
  const page = (c: Context, language: 'he' | 'en', business: string, done: boolean) => {
    const texts = TEXTS[language]
    return sendPage(c, {
      language,
      title: texts.title,
      style: STYLE,
      body: (
        <main>
          <form class="card" method="post">
            <h1>{texts.title}</h1>
            {done ? (
              <p role="status">{texts.done}</p>
            ) : (
              <>
                <p>{texts.ask(business)}</p>
                <button type="submit">{texts.button}</button>
              </>
            )}
          </form>
        </main>
      ),
    })
  }
  app.get('/:token', (c) => {
    const { business } = find(c)
    return page(c, languageOf(c, business.language), business.name, false)
  })
  app.post('/:token', async (c) => {
    const { named, business } = find(c)
    await unsubscribeMail(ctx, named, business, new Date())
    return page(c, languageOf(c, business.language), business.name, true)
  })
  return app
}
