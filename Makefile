# Short names for what package.json does.

.PHONY: proto test check bench

proto: node_modules
	npm run proto

test: node_modules
	npm test

check: node_modules
	npm run check

bench: node_modules
	npm run bench

node_modules: package-lock.json
	npm ci
	touch node_modules
