# SPDX-License-Identifier: GPL-2.0-or-later
# model.R - R: random numbers, a linear model, a sort; on either side of the gate
set.seed(42)
fit <- function(n) {
	x <- matrix(rnorm(n * 5), n)
	y <- drop(x %*% 1:5) + rnorm(n)
	c(coef(lm(y ~ x)), median(sort(y)))
}
first <- fit(5000)
print(first, digits = 8)
seed <- .Random.seed
cat("ready\n")
while (!file.exists("go")) {
	.Random.seed <- seed
	once <- fit(3000)
	.Random.seed <- seed
	if (!identical(once, fit(3000)))
		cat("another fit at the gate\n")
	Sys.sleep(0.5)
}
.Random.seed <- seed
for (i in 1:5)
	print(fit(20000), digits = 8)
cat(identical(first, { set.seed(42); fit(5000) }), "\nend\n")
