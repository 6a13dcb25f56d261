import { useSyncExternalStore } from 'react'
import { useTranslations } from 'use-intl'
import { chooseTheme, onThemeChange, readTheme, THEMES } from '../../app/theme.ts'
import { Panel } from '../../ui/fields.tsx'

export function ThemeChoice() {
  const t = useTranslations('account')
  const theme = useSyncExternalStore(onThemeChange, readTheme)
  return (
    <Panel title={t('look')}>
      <fieldset className="flex flex-wrap gap-4">
        <legend className="sr-only">{t('look')}</legend>
        {THEMES.map((each) => (
          <label key={each} className="flex items-center gap-2">
            <input type="radio" name="theme" checked={theme === each} onChange={() => chooseTheme(each)} />
            {t(each)}
          </label>
        ))}
      </fieldset>
    </Panel>
  )
}
