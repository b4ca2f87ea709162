// Package browser tries the page of whop-notify serve in Chromium: see make browser.
package browser
