package testbed.leaky;

import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

import javax.servlet.ServletException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/**
 * {@code GET /order?id=N}: one prepared statement with a long query timeout,
 * executed and closed as it should be.
 */
final class OrderServlet extends HttpServlet {
    private final transient ConnectionPool pool;
    private final int queryTimeoutSeconds;

    OrderServlet(ConnectionPool pool, int queryTimeoutSeconds) {
        this.pool = pool;
        this.queryTimeoutSeconds = queryTimeoutSeconds;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        String id = request.getParameter("id");
        if (id == null || !id.matches("\\d{1,9}")) {
            response.sendError(HttpServletResponse.SC_BAD_REQUEST, "id is a number of up to 9 digits");
            return;
        }
        try {
            response.setContentType("text/plain");
            response.getWriter().println(price(Integer.parseInt(id)));
        } catch (SQLException e) {
            throw new ServletException("order " + id, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServletException("order " + id, e);
        }
    }

    private int price(int id) throws SQLException, InterruptedException {
        Connection connection = pool.borrow();
        try {
            PreparedStatement statement = connection.prepareStatement("select ?::int * 7");
            try {
                statement.setQueryTimeout(queryTimeoutSeconds);
                statement.setInt(1, id);
                ResultSet result = statement.executeQuery();
                try {
                    result.next();
                    return result.getInt(1);
                } finally {
                    result.close();
                }
            } finally {
                statement.close();
            }
        } finally {
            pool.giveBack(connection);
        }
    }
}
