import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { followBusiness, rememberAlert } from './alert-link.ts'
import { Localized } from './i18n.tsx'
import { registerWorker } from './push.ts'
import { router } from './router.tsx'
import { applyTheme, readTheme } from './theme.ts'
import { queryClient } from './trpc.ts'

const element = document.getElementById('console')
followBusiness()
rememberAlert()
applyTheme(readTheme())
registerWorker()
if (element)
  createRoot(element).render(
    <QueryClientProvider client={queryClient}>
      <Localized timeZone={element.dataset.timeZone ?? 'Asia/Jerusalem'}>
        <RouterProvider router={router} />
      </Localized>
    </QueryClientProvider>,
  )
