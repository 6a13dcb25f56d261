import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { below } from './base.ts'
import { Layout } from './layout.tsx'

const root = createRootRoute({ component: Layout, notFoundComponent: () => null })
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
const calls = createRoute({
  getParentRoute: () => root,
  path: '/calls',
  component: lazyRouteComponent(() => import('../screens/calls.tsx'), 'Calls'),
})
const call = createRoute({
  getParentRoute: () => root,
  path: '/calls/$callId',
  component: lazyRouteComponent(() => import('../screens/call.tsx'), 'CallPage'),
})
/** `lead`: the one whose details are open. */
const leadsSearch = z.object({ lead: text })
const leads = createRoute({
  getParentRoute: () => root,
  path: '/leads',
  validateSearch: (search) => z.parse(leadsSearch, search),
  component: lazyRouteComponent(() => import('../screens/leads.tsx'), 'Leads'),
})
const contactsSearch = z.object({ q: text })
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
  part: z.catch(
    z._default(z.enum(['business', 'receptionist', 'whatsapp', 'numbers', 'team']), 'business'),
    'business',
  ),
})
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  validateSearch: (search) => z.parse(settingsSearch, search),
  component: lazyRouteComponent(() => import('../screens/settings.tsx'), 'Settings'),
})

export const router = createRouter({
  routeTree: root.addChildren([index, today, inbox, calls, call, leads, contacts, calendar, payments, settings]),
  basepath: below('/console'),
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
