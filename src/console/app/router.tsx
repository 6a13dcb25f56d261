import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { below } from './base.ts'
import { NoSuchScreen, ScreenFailed } from './failure.tsx'
import { Layout } from './layout.tsx'
import { CALL_OUTCOMES } from './outcomes.ts'
import { SETUP_STEPS } from './parts.ts'
import { SETTINGS_NAMES } from './settings-parts.ts'

const root = createRootRoute({ component: Layout, notFoundComponent: NoSuchScreen })
const text = z.catch(z.optional(z.string()), undefined)

const inboxSearch = z.object({
  view: z.catch(z._default(z.enum(['all', 'mine', 'unassigned', 'snoozed', 'closed']), 'all'), 'all'),
  unread: z.catch(z.optional(z.boolean()), undefined),
  contact: text,
  q: text,
})

const index = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/today' })
  },
})
const today = createRoute({
  getParentRoute: () => root,
  path: '/today',
  component: lazyRouteComponent(() => import('../screens/today.tsx'), 'Today'),
})
const inbox = createRoute({
  getParentRoute: () => root,
  path: '/inbox',
  validateSearch: (search) => z.parse(inboxSearch, search),
  component: lazyRouteComponent(() => import('../screens/inbox.tsx'), 'Inbox'),
})
const callsSearch = z.object({
  outcome: z.catch(z.optional(z.enum(CALL_OUTCOMES)), undefined),
  hour: z.catch(z.optional(z.int().check(z.minimum(0), z.maximum(23))), undefined),
  since: text,
  until: text,
})
const calls = createRoute({
  getParentRoute: () => root,
  path: '/calls',
  validateSearch: (search) => z.parse(callsSearch, search),
  component: lazyRouteComponent(() => import('../screens/calls.tsx'), 'Calls'),
})
const live = createRoute({
  getParentRoute: () => root,
  path: '/live',
  component: lazyRouteComponent(() => import('../screens/live.tsx'), 'Live'),
})
const call = createRoute({
  getParentRoute: () => root,
  path: '/calls/$callId',
  component: lazyRouteComponent(() => import('../screens/call.tsx'), 'CallPage'),
})
/** `lead`: the one whose details are open. With a stage or a time the board is a list. */
const leadsSearch = z.object({ lead: text, stage: text, since: text, until: text })
const leads = createRoute({
  getParentRoute: () => root,
  path: '/leads',
  validateSearch: (search) => z.parse(leadsSearch, search),
  component: lazyRouteComponent(() => import('../screens/leads.tsx'), 'Leads'),
})
const contactsSearch = z.object({ q: text, create: text, name: text })
const contacts = createRoute({
  getParentRoute: () => root,
  path: '/contacts',
  validateSearch: (search) => z.parse(contactsSearch, search),
  component: lazyRouteComponent(() => import('../screens/contacts.tsx'), 'Contacts'),
})

/** `view`: a week, or a day on a phone, where none is chosen; `date`: the day that is in view; `appointment`: the one that is open. */
const calendarSearch = z.object({
  view: z.catch(z.optional(z.enum(['day', 'week', 'month'])), undefined),
  date: z.catch(z.optional(z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}$/))), undefined),
  appointment: text,
  /** Whose appointments alone are shown. */
  staff: text,
})
const calendar = createRoute({
  getParentRoute: () => root,
  path: '/calendar',
  validateSearch: (search) => z.parse(calendarSearch, search),
  component: lazyRouteComponent(() => import('../screens/calendar.tsx'), 'Calendar'),
})
const payments = createRoute({
  getParentRoute: () => root,
  path: '/payments',
  component: lazyRouteComponent(() => import('../screens/payments.tsx'), 'Payments'),
})
const settingsSearch = z.object({
  part: z.catch(z._default(z.enum(SETTINGS_NAMES), 'business'), 'business'),
  /** A part of the part. */
  tab: text,
  /** How a login at the vendor of a calendar ended. */
  connected: text,
})
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  validateSearch: (search) => z.parse(settingsSearch, search),
  component: lazyRouteComponent(() => import('../screens/settings.tsx'), 'Settings'),
})
const statsSearch = z.object({
  days: z.catch(z._default(z.union([z.literal(7), z.literal(30), z.literal(90)]), 30), 30),
  messages: text,
})
const stats = createRoute({
  getParentRoute: () => root,
  path: '/stats',
  validateSearch: (search) => z.parse(statsSearch, search),
  component: lazyRouteComponent(() => import('../screens/stats.tsx'), 'Stats'),
})
const health = createRoute({
  getParentRoute: () => root,
  path: '/health',
  component: lazyRouteComponent(() => import('../screens/health.tsx'), 'Health'),
})
const setupSearch = z.object({ step: z.catch(z._default(z.enum(SETUP_STEPS), 'business'), 'business') })
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: (search) => z.parse(setupSearch, search),
  component: lazyRouteComponent(() => import('../screens/setup.tsx'), 'Setup'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    index,
    today,
    inbox,
    live,
    calls,
    call,
    leads,
    contacts,
    calendar,
    payments,
    settings,
    setup,
    stats,
    health,
  ]),
  basepath: below('/console'),
  defaultPreload: 'intent',
  defaultErrorComponent: ScreenFailed,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
