#include "cli/curve.h"

enum { EIGHTHS = 8, LABEL = 6 };

static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄",
                                                "▅", "▆", "▇", "█"};

struct scale {
    double least, most;
    int height;
};

/* The mean of what shares column c of n_columns. */
static double column(const struct curve *curve, int c, int n_columns)
{
    int from = (int)((int64_t)curve->n * c / n_columns),
        to = (int)((int64_t)curve->n * (c + 1) / n_columns);
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += curve->losses[i];
    return sum / (to - from);
}

/* How many eighths of the cell in row `row` (0: the lowest) are filled. */
static int filled(const struct scale *s, double value, int row)
{
    double up = (value - s->least) / (s->most - s->least) * s->height * EIGHTHS;
    int eighths = (int)(up + 0.5) - row * EIGHTHS;
    if (row == 0 && eighths < 1)
        return 1;
    return eighths < 0 ? 0 : eighths > EIGHTHS ? EIGHTHS : eighths;
}

static void label(const struct scale *s, int row, struct buf *out)
{
    if (row == s->height - 1)
        buf_printf(out, "%*.2f ┤", LABEL, s->most);
    else if (row == 0)
        buf_printf(out, "%*.2f ┤", LABEL, s->least);
    else
        buf_printf(out, "%*s │", LABEL, "");
}

void curve_draw(const struct curve *curve, int width, int height, struct buf *out)
{
    int n_columns = curve->n < width ? curve->n : width;
    int wide = n_columns * 2 <= width ? 2 : 1; /* few steps: two characters each */
    struct scale s = {.height = height};
    for (int c = 0; c < n_columns; c++) {
        double value = column(curve, c, n_columns);
        s.most = value > s.most ? value : s.most;
    }
    if (n_columns == 0 || s.most <= 0)
        return;
    for (int row = height - 1; row >= 0; row--) {
        label(&s, row, out);
        for (int c = 0; c < n_columns; c++)
            for (int k = 0; k < wide; k++)
                buf_str(out, blocks[filled(&s, column(curve, c, n_columns), row)]);
        buf_char(out, '\n');
    }
    buf_printf(out, "%*s  loss, steps %lld to %lld\n", LABEL, "", (long long)curve->first,
               (long long)curve->last);
}

void curve_bar(int done, int total, int width, struct buf *out)
{
    int full = total > 0 ? (int)((int64_t)width * done / total) : 0;
    buf_char(out, '[');
    for (int i = 0; i < width; i++)
        buf_char(out, i < full ? '#' : '.');
    buf_char(out, ']');
}
