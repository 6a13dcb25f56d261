/** @jsxImportSource hono/jsx */
import type { Child } from 'hono/jsx'
import type { AppointmentEnd } from '../../domain/appointments/index.ts'
import { formatPhone } from '../../lib/phone.ts'
import type { HtmlPage } from '../html-page.tsx'
import { LOOK } from '../page-look.ts'
import { BOOK_TEXTS, type BookError, type BookLanguage, type BookTexts } from './texts.ts'

export type ServiceChoice = { id: string; name: string; minutes: number; price: string | null; deposit: string | null }
export type TimeChoice = { slot: string; date: string; time: string }

type Page = {
  language: BookLanguage
  business: string
  switchTo: string | null
  phone?: string | null
  error?: BookError | null
  /** After so many seconds this is loaded. */
  refresh?: { seconds: number; url: string }
}

/** What to book. */
export function servicesPage(page: Page & { here: string; services: ServiceChoice[] }): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  return frame(
    page,
    <>
      <p class="to">{texts.choose}</p>
      <ul class="choices">
        {page.services.map((each) => (
          <li key={each.id}>
            <a href={`${page.here}?lang=${page.language}&service=${each.id}`}>
              <bdi>{each.name}</bdi>
              <small>{costs(texts, each)}</small>
            </a>
          </li>
        ))}
      </ul>
    </>,
  )
}

function costs(texts: BookTexts, { minutes, price, deposit }: ServiceChoice): string {
  const parts = [`${minutes} ${texts.minutes}`, price, deposit && `${texts.deposit} ${deposit}`]
  return parts.filter(Boolean).join(' · ')
}

/** When; with `action`, a choice moves an appointment there. */
export function timesPage(
  page: Page & {
    title: string
    times: TimeChoice[]
    dateText(date: string): string
    linkTo(slot: string): string
    action: string | null
    earlier: string | null
    later: string | null
    /** Of what is moved: when it is, and where it stays so. */
    moving: { when: string; back: string } | null
    /** Where to wait for one, when days are full. */
    wait: string | null
  },
): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  const days = [...new Set(page.times.map(({ date }) => date))]
  return frame(
    page,
    <>
      {titleLine(page.title)}
      {page.moving && (
        <>
          <p class="to">
            {texts.now}: {page.moving.when}
          </p>
          <p class="when">{texts.moveTo}</p>
        </>
      )}
      {days.length === 0 && <p class="notice">{texts.none}</p>}
      {days.length === 0 && page.wait && (
        <p class="more">
          <a class="button" href={page.wait}>
            {texts.wait}
          </a>
        </p>
      )}
      {days.map((date) => (
        <section key={date}>
          <h2>{page.dateText(date)}</h2>
          <ul class="times">
            {page.times
              .filter((each) => each.date === date)
              .map((each) => (
                <li key={each.slot}>
                  {page.action ? (
                    <form method="post" action={page.action}>
                      <input type="hidden" name="slot" value={each.slot} />
                      <button type="submit" class="time" aria-label={`${texts.moveHere} ${each.time}`}>
                        {each.time}
                      </button>
                    </form>
                  ) : (
                    <a class="time" href={page.linkTo(each.slot)}>
                      {each.time}
                    </a>
                  )}
                </li>
              ))}
          </ul>
        </section>
      ))}
      <p class="more">
        {page.earlier && <a href={page.earlier}>{texts.earlier}</a>}
        {page.later && <a href={page.later}>{texts.later}</a>}
      </p>
      {page.moving && (
        <p class="more">
          <a href={page.moving.back}>{texts.keepIt}</a>
        </p>
      )}
      {days.length > 0 && page.wait && (
        <p class="more">
          <a href={page.wait}>{texts.noneSuits}</a>
        </p>
      )}
    </>,
  )
}

/** Who. */
export function formPage(
  page: Page & {
    action: string
    slot: string
    key: string
    choice: ServiceChoice
    when: string
    back: string
    values: { name: string; phone: string; note: string }
    note: 'off' | 'optional' | 'required'
  },
): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  return frame(
    page,
    <>
      {titleLine(page.choice.name)}
      <p class="when">{page.when}</p>
      <p class="to">{costs(texts, page.choice)}</p>
      {page.choice.deposit && <p class="notice">{texts.depositFirst}</p>}
      <form method="post" action={page.action}>
        <input type="hidden" name="slot" value={page.slot} />
        <input type="hidden" name="key" value={page.key} />
        {whoFields(page)}
        {page.note !== 'off' && (
          <label>
            {page.note === 'required' ? texts.noteNeeded : texts.note}
            <textarea name="note" rows={2} maxlength={500} required={page.note === 'required'}>
              {page.values.note}
            </textarea>
          </label>
        )}
        <button type="submit">{texts.book}</button>
      </form>
      <p class="more">
        <a href={page.back}>{texts.back}</a>
      </p>
    </>,
  )
}

function whoFields({ language, values }: { language: BookLanguage; values: { name: string; phone: string } }) {
  const texts = BOOK_TEXTS[language]
  return (
    <>
      <label>
        {texts.name}
        <input name="name" required maxlength={120} autocomplete="name" value={values.name} />
      </label>
      <label>
        {texts.phone}
        <input name="phone" type="tel" dir="ltr" required maxlength={32} autocomplete="tel" value={values.phone} />
      </label>
    </>
  )
}

/** Who waits for a time of these days. */
export function waitPage(
  page: Page & {
    action: string
    service: string
    from: string
    title: string
    days: string
    /** The full ones, of which one may be chosen; any of them suits where nothing else is free. */
    choices: { date: string; text: string }[]
    anyDay: boolean
    day: string
    back: string
    values: { name: string; phone: string }
  },
): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  return frame(
    page,
    <>
      <p class="to">
        <bdi>{page.title}</bdi>
      </p>
      <p class="when">{page.days}</p>
      <p class="to">{texts.waitFor}</p>
      <form method="post" action={page.action}>
        <input type="hidden" name="service" value={page.service} />
        <input type="hidden" name="from" value={page.from} />
        <label>
          {texts.waitDay}
          <select name="day">
            {page.anyDay && <option value="">{texts.anyDay}</option>}
            {page.choices.map(({ date, text }) => (
              <option key={date} value={date} selected={date === page.day}>
                {text}
              </option>
            ))}
          </select>
        </label>
        {whoFields(page)}
        <button type="submit">{texts.wait}</button>
      </form>
      <p class="more">
        <a href={page.back}>{texts.back}</a>
      </p>
    </>,
  )
}

/** That someone waits, and how to leave the list; what is held for them, or that they took it. */
export function waitingPage(
  page: Page & {
    here: string
    state: 'waiting' | 'freed' | 'yours' | 'waitingOver'
    title: string | null
    days: string
    /** What is held for them, or what they took. */
    appointment: { url: string; when: string; until: string | null } | null
    again: string | null
  },
): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  const isOpen = page.state === 'waiting' || page.state === 'freed'
  return frame(
    page,
    <>
      <div class={`status ${page.state === 'waitingOver' ? '' : 'good'}`} role="status">
        <h2>{texts[page.state]}</h2>
      </div>
      {titleLine(page.title)}
      <p class="when">{page.appointment ? page.appointment.when : page.days}</p>
      {page.appointment?.until && (
        <p class="to">
          {texts.until} {page.appointment.until}
        </p>
      )}
      {page.appointment && (
        <p class="more">
          <a class="button" href={page.appointment.url}>
            {texts.see}
          </a>
        </p>
      )}
      {page.state === 'waitingOver' && againLine(texts, page.again)}
      {isOpen && (
        <>
          {page.state === 'waiting' && <p class="to">{texts.waitFor}</p>}
          <p class="to">{texts.keepWaiting}</p>
          <form method="post" action={`${page.here}/leave?lang=${page.language}`}>
            <button type="submit" class="quiet">
              {texts.leave}
            </button>
          </form>
        </>
      )}
    </>,
  )
}

/** What is held for someone who waited: to take it, or to leave it to the next. */
export function offerPage(page: Page & { here: string; title: string | null; when: string; until: string }): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  const act = (path: string, text: string, quiet: boolean) => (
    <form method="post" action={`${page.here}/${path}?lang=${page.language}`}>
      <button type="submit" class={quiet ? 'quiet' : ''}>
        {text}
      </button>
    </form>
  )
  return frame(
    page,
    <>
      <div class="status good" role="status">
        <h2>{texts.offered}</h2>
      </div>
      {titleLine(page.title)}
      <p class="when">{page.when}</p>
      <p class="to">
        {texts.until} {page.until}
      </p>
      {act('take', texts.take, false)}
      {act('cancel', texts.decline, true)}
    </>,
  )
}

/** What was booked, and how to change it. */
export function appointmentPage(
  page: Page & {
    here: string
    state: 'booked' | 'held' | AppointmentEnd | 'over'
    /** What it is for. */
    title: string | null
    when: string
    /** The deposit that is waited for: where it is paid, and until when the time is kept. */
    deposit: { url: string; until: string } | null
    /** Not shortly before it. */
    canChange: boolean
    /** Where another one is booked. */
    again: string | null
  },
): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  const open = page.state === 'booked' || page.state === 'held'
  return frame(
    page,
    <>
      <div class={`status ${open ? 'good' : 'bad'}`} role="status">
        <h2>{texts[page.state]}</h2>
      </div>
      {titleLine(page.title)}
      <p class="when">{page.when}</p>
      {page.deposit && (
        <>
          <p class="to">
            {texts.until} {page.deposit.until}
          </p>
          <p class="more">
            <a class="button" href={page.deposit.url}>
              {texts.pay}
            </a>
          </p>
        </>
      )}
      {open && !page.canChange && <p class="notice">{texts.errors.too_late}</p>}
      {open && page.canChange && (
        <>
          <p class="to">{texts.keep}</p>
          <p class="more">
            <a href={`${page.here}/move?lang=${page.language}`}>{texts.move}</a>
          </p>
          <p class="more">
            <a href={`${page.here}/cancel?lang=${page.language}`}>{texts.cancel}</a>
          </p>
        </>
      )}
      {!open && againLine(texts, page.again)}
    </>,
  )
}

/** Asks before an appointment is given up. */
export function cancelPage(page: Page & { here: string; title: string | null; when: string }): HtmlPage {
  const texts = BOOK_TEXTS[page.language]
  return frame(
    page,
    <>
      <div class="status">
        <h2>{texts.cancelAsk}</h2>
      </div>
      {titleLine(page.title)}
      <p class="when">{page.when}</p>
      <form method="post" action={`${page.here}/cancel?lang=${page.language}`}>
        <button type="submit">{texts.cancel}</button>
      </form>
      <p class="more">
        <a href={`${page.here}?lang=${page.language}`}>{texts.keepIt}</a>
      </p>
    </>,
  )
}

function againLine(texts: BookTexts, again: string | null) {
  return (
    again && (
      <p class="more">
        <a href={again}>{texts.again}</a>
      </p>
    )
  )
}

function titleLine(title: string | null) {
  return (
    title && (
      <p class="to">
        <bdi>{title}</bdi>
      </p>
    )
  )
}

export function missingPage(language: BookLanguage): HtmlPage {
  const texts = BOOK_TEXTS[language]
  return frame(
    { language, business: texts.missing, switchTo: `?lang=${texts.other.code}` },
    <p class="to">{texts.missingText}</p>,
  )
}

function frame({ language, business, switchTo, phone, error, refresh }: Page, content: Child): HtmlPage {
  const { other, title, errors, call } = BOOK_TEXTS[language]
  const body = (
    <>
      <nav>
        {switchTo && (
          <a href={switchTo} lang={other.code} hreflang={other.code}>
            {other.name}
          </a>
        )}
      </nav>
      <main>
        <h1>
          <bdi>{business}</bdi>
        </h1>
        {error && (
          <p class="notice" role="alert">
            {errors[error]}
          </p>
        )}
        {content}
        {phone && (
          <p class="foot">
            {call}:{' '}
            <a href={`tel:${phone}`} dir="ltr">
              {formatPhone(phone)}
            </a>
          </p>
        )}
      </main>
    </>
  )
  const head = refresh ? <meta http-equiv="refresh" content={`${refresh.seconds};url=${refresh.url}`} /> : undefined
  return { language, style: STYLE, head, body, title: `${title} · ${business}` }
}

const STYLE = `${LOOK}
body { min-height: 100svh; display: grid; grid-template-rows: auto 1fr; font-size: 1.0625rem; line-height: 1.5; }
nav { display: flex; justify-content: flex-end; padding: .5rem 1rem; }
nav a, .more a { display: inline-flex; align-items: center; min-height: 44px; padding-inline: .75rem; color: var(--muted); }
main { width: min(30rem, 100% - 2rem); margin: 0 auto 2rem; align-self: start; padding: 1.75rem 1.5rem; border-radius: 20px;
  background: var(--surface); border: 1px solid var(--line); text-align: center; }
h1, h2, p, ul { margin: 0; padding: 0; }
h1 { font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 1.0625rem; margin-top: 1.25rem; text-align: start; }
.to { margin-top: .5rem; color: var(--muted); overflow-wrap: anywhere; }
.when { margin-top: .75rem; font-weight: 650; }
.notice { margin-top: 1.25rem; padding: .75rem 1rem; border-radius: 12px; background: var(--raised); text-align: start; }
ul { list-style: none; }
.choices { display: grid; gap: .75rem; margin-top: 1.25rem; }
.choices a { display: grid; gap: .25rem; padding: .875rem 1rem; border: 1px solid var(--line); border-radius: 14px; color: var(--ink);
  text-decoration: none; text-align: start; overflow-wrap: anywhere; }
.choices small { color: var(--muted); }
.times { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)); gap: .5rem; margin-top: .5rem; }
.times form { margin: 0; }
.time { display: flex; width: 100%; min-height: 48px; align-items: center; justify-content: center; border: 1px solid var(--line); border-radius: 12px;
  background: var(--page); color: var(--ink); font: inherit; text-decoration: none; font-variant-numeric: tabular-nums; }
.status { margin-top: 1.5rem; } .status h2 { text-align: center; font-size: 1.25rem; }
.good h2 { color: var(--accent); } .bad h2 { color: var(--danger); }
form { display: grid; gap: 1rem; margin-top: 1.5rem; text-align: start; }
label { display: grid; gap: .25rem; }
input, textarea, select { width: 100%; min-height: 48px; }
button:not(.time), .button { width: 100%; min-height: 56px; border: 0; border-radius: 14px; background: var(--accent); color: var(--accent-ink);
  font: inherit; font-size: 1.125rem; font-weight: 650; }
.more .button { display: flex; justify-content: center; color: var(--accent-ink); text-decoration: none; }
button.quiet { background: var(--raised); color: var(--ink); }
.more { margin-top: .75rem; }
.foot { margin-top: 1.5rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .9375rem; }
.foot a { display: inline-block; padding-block: .625rem; }
`
